/**
 * The shapes of what the monitor sends (docs/websocket.md), for the type checker.
 * Nothing here runs. Made from the models: `make schema` writes it anew.
 */

/** Where an action stands; the words are those of the tables in every MDSplus dispatcher. @typedef {'ABORTED'|'DISPATCHED'|'DOING'|'DONE'|'NOT_DISPATCHED'|'SERVER_OFF'} ActionState */

/**
 * Something that was asked for and changes something, or a login: a line of the audit.
 * @typedef {object} Audited
 * @property {'audited'} [type]
 * @property {string} id
 * @property {number} time
 * @property {string} who
 * @property {Via} [via]
 * @property {string} [program]
 * @property {string} [key]
 * @property {string} [address]
 * @property {string} [browser]
 * @property {string} verb
 * @property {string|null} [tree]
 * @property {number|null} [shot]
 * @property {string} [arguments]
 * @property {Outcome} outcome
 * @property {string} [message]
 * @property {number|null} [duration_s]
 * @property {string} [request]
 * @property {number} [untold]
 */

/** What an action is counted as: the fields of `Counts`. @typedef {'failed'|'in_progress'|'not_dispatched'|'pending'|'server_off'|'success'} Category */

/** Why an action is settled. An action without a cause is pending or in progress. @typedef {'aborted_before_sent'|'asynchronous'|'bad_number'|'cannot_happen'|'condition_false'|'forgotten'|'no_server'|'off'|'operator'|'result'|'server_lost'|'timeout'|'unreadable'|'worker_died'} Cause */

/**
 * One message of a channel. Which fields it has depends on `command` (docs/websocket.md).
 * @typedef {object} Message
 * @property {string} command
 * @property {number} seq
 * @property {number} [time]
 * @property {string} [task_id]
 * @property {string} [task_state]
 * @property {Transition|null} [action]
 * @property {boolean} [failed]
 * @property {Colour|null} [colour]
 * @property {Category|null} [category]
 * @property {string} [phase]
 * @property {Record<string, Record<string, number>|number>} [counts]
 * @property {number|ShotView|null} [shot]
 * @property {ActionView[]} [actions]
 * @property {ActionView|null} [view]
 * @property {Record<string, number>} [medians]
 * @property {Estimate|null} [estimate]
 * @property {number|RunView|null} [run]
 * @property {[number, number][]} [reset]
 * @property {PendingAgain|null} [pending]
 * @property {number|null} [remaining_s]
 * @property {number} [known]
 * @property {string[]|null} [critical]
 * @property {string[]} [slow]
 * @property {Record<string, string>} [waits]
 * @property {number} [progress]
 * @property {string} [text]
 * @property {string} [trouble]
 * @property {ServerView[]} [servers]
 * @property {Record<string, [number, number|null][]>} [heartbeats]
 * @property {string|ServerView|null} [server]
 * @property {SystemView|null} [system]
 * @property {ShotView[]} [shots]
 * @property {string} [tree]
 * @property {string} [last]
 * @property {string} [level]
 * @property {string} [source]
 * @property {number} [to]
 * @property {string} [reason]
 * @property {number} [attempt]
 * @property {number} [stream]
 * @property {number} [first]
 * @property {[number, number, string][]} [lines]
 * @property {EventRaised|LateResult|Redispatched|CheckReset|PulseCreated|SourceSeen|null} [record]
 * @property {number} [from]
 */

/**
 * `check --reset`: the failures of essential actions so far were seen.
 * @typedef {object} CheckReset
 * @property {'check_reset'} [type]
 * @property {number} time
 * @property {string[]} [remaining]
 */

/** What a row shows (D7). Words and symbols go with it; nobody depends on colour alone. @typedef {'blue'|'green'|'grey'|'grey-outlined'|'orange'|'red'} Colour */

/**
 * Actions by what is shown of them (D7).
 * @typedef {object} Counts
 * @property {number} [pending]
 * @property {number} [in_progress]
 * @property {number} [success]
 * @property {number} [failed]
 * @property {number} [server_off]
 * @property {number} [not_dispatched]
 */

/** Why a command is not simply carried out. Programs are asked about the first four only. @typedef {'ends'|'off'|'old_shot'|'outcome_unknown'|'pulse_exists'|'source_changed'|'succeeded'} DangerCode */

/**
 * What is expected of a run; the time left and what limits it come by themselves.
 * @typedef {object} Estimate
 * @property {number} run
 * @property {number|null} [remaining_s]
 * @property {number} [known]
 * @property {string[]} [critical]
 * @property {string[]} [slow]
 */

/** What became of a completion event (D13). @typedef {'failed'|'intended'|'perhaps_not_raised'|'raised'} EventOutcome */

/**
 * A completion event was, or is about to be, raised.
 * @typedef {object} EventRaised
 * @property {'event_raised'} [type]
 * @property {number} time
 * @property {string} path
 * @property {number} attempt
 * @property {string} event
 * @property {EventOutcome} outcome
 * @property {string} [reason]
 */

/** How the dispatcher's journal stands; the words are shown to operators. @typedef {'degraded'|'ok'|'stopped'} JournalState */

/**
 * A result of an attempt that is not the current one, or whose action was settled already.
 * @typedef {object} LateResult
 * @property {'late_result'} [type]
 * @property {number} time
 * @property {string} path
 * @property {number} attempt
 * @property {string} server
 * @property {Status|null} [status]
 * @property {string} [reason]
 * @property {number|null} [code]
 * @property {number|null} [started_at]
 * @property {number|null} [ended_at]
 * @property {number|null} [duration_s]
 * @property {boolean} [proof]
 */

/**
 * One danger that stands in a command's way: its code, and what it is in this case.
 * @typedef {object} Danger
 * @property {DangerCode} danger
 * @property {string} text
 */

/** How a command ended; each has its exit code. @typedef {'accepted'|'error'|'failed'|'nobody'|'ok'|'refused'|'usage'} Outcome */

/**
 * What the actions are that a run has reset.
 * @typedef {object} PendingAgain
 * @property {ActionState} state
 * @property {number} run
 * @property {Colour} colour
 * @property {Category} category
 */

/**
 * The pulse was made from the model, or made again.
 * @typedef {object} PulseCreated
 * @property {'pulse_created'} [type]
 * @property {number} time
 * @property {boolean} [replaced]
 */

/**
 * Somebody asked for one action again: its next attempt is exempt from sequences (D10).
 * @typedef {object} Redispatched
 * @property {'redispatched'} [type]
 * @property {number} time
 * @property {number} run
 * @property {string} path
 * @property {string} [command]
 */

/** What was asked for. @typedef {'phase'|'sequence'|'single'} RunKind */

/** How a run ended. @typedef {'aborted'|'completed'} RunOutcome */

/**
 * One run of a shot.
 * @typedef {object} RunView
 * @property {string} tree
 * @property {number} shot
 * @property {number} run
 * @property {RunKind} kind
 * @property {string} phase
 * @property {number|null} [first]
 * @property {number|null} [last]
 * @property {'aborting'|'ended'|'held'|'open'} state
 * @property {RunOutcome|null} [outcome]
 * @property {string} [reason]
 * @property {number} opened_at
 * @property {number|null} [ended_at]
 * @property {number|null} [duration_s]
 * @property {Counts} counts
 */

/** How a server stands. @typedef {'DRAINING'|'OFF'|'ON'|'SUSPECT'} ServerState */

/**
 * A login.
 * @typedef {object} SessionView
 * @property {number} number
 * @property {string} user
 * @property {string} address
 * @property {number} began_at
 * @property {number} seen_at
 * @property {boolean} [mine]
 */

/**
 * One shot in short.
 * @typedef {object} ShotView
 * @property {string} tree
 * @property {number} shot
 * @property {number|null} [built_at]
 * @property {string[]} [phases]
 * @property {number} [actions]
 * @property {Counts} [counts]
 * @property {RunView[]} [runs]
 * @property {string[]} [essential_failures]
 * @property {string} [source_changed]
 * @property {boolean} [current]
 * @property {boolean} [loaded]
 */

/**
 * An action as pages have it: how it is shown, too (D7).
 * @typedef {object} ActionView
 * @property {string} path
 * @property {string} name
 * @property {number|null} [nid]
 * @property {string} server_class
 * @property {string} phase
 * @property {string} [when]
 * @property {number|null} [number]
 * @property {string[]} [references]
 * @property {boolean} [on]
 * @property {boolean} [asynchronous]
 * @property {boolean} [essential]
 * @property {number|null} [timeout_s]
 * @property {string|null} [completion_event]
 * @property {string} [event_trouble]
 * @property {string|null} [unreadable]
 * @property {Cause|null} [never]
 * @property {string} [text]
 * @property {Transition} last
 * @property {boolean} [failed]
 * @property {string} [waits_for]
 * @property {number|null} [progress]
 * @property {string} [progress_text]
 * @property {Colour} colour
 * @property {Category} category
 */

/**
 * An action server as pages have it.
 * @typedef {object} ServerView
 * @property {string} server
 * @property {string} server_class
 * @property {string} server_id
 * @property {'absent'|'alive'|'lost'|'suspect'} liveness
 * @property {boolean} [draining]
 * @property {string} [why]
 * @property {string} [host]
 * @property {string} [address]
 * @property {number} [pid]
 * @property {string} [version]
 * @property {number} [slots]
 * @property {number} [stuck]
 * @property {number} [broken]
 * @property {string} [trouble]
 * @property {string[]} [busy]
 * @property {number} [unanswered]
 * @property {string} [incarnation]
 * @property {number} [epoch]
 * @property {number|null} [started_at]
 * @property {number|null} [last_seen_at]
 * @property {number|null} [round_trip_s]
 * @property {string|null} [url]
 * @property {string[]} [bound]
 * @property {ServerState} state
 */

/**
 * Somebody looked whether the tables' sources have changed since they were built.
 * @typedef {object} SourceSeen
 * @property {'source_seen'} [type]
 * @property {number} time
 * @property {string} [changed]
 */

/** How a DONE action ended. @typedef {'Failure'|'Success'} Status */

/**
 * What the monitor is connected to, and how that is.
 * @typedef {object} SystemView
 * @property {string} broker
 * @property {string} version
 * @property {string} life
 * @property {'connecting'|'live'|'stopped'} feed
 * @property {number|null} [feed_stopped_at]
 * @property {'broker'|'dispatcher'|null} [away]
 * @property {string} [dispatcher]
 * @property {number|null} [term]
 * @property {JournalState} [journal]
 * @property {string} [journal_text]
 * @property {boolean} [recovering]
 * @property {[string, number]|null} [current]
 * @property {string[]} [experiments]
 */

/**
 * An action changed. The record holds the action's whole live state after the change.
 * @typedef {object} Transition
 * @property {'transition'} [type]
 * @property {number} time
 * @property {string} path
 * @property {ActionState} state
 * @property {number|null} [run]
 * @property {number} [attempt]
 * @property {Status|null} [status]
 * @property {Cause|null} [cause]
 * @property {string} [reason]
 * @property {number|null} [code]
 * @property {boolean} [outcome_unknown]
 * @property {boolean} [aborting]
 * @property {string|null} [server]
 * @property {string|null} [url]
 * @property {string|null} [incarnation]
 * @property {number|null} [epoch]
 * @property {number|null} [dispatched_at]
 * @property {number|null} [started_at]
 * @property {number|null} [ended_at]
 * @property {number|null} [duration_s]
 */

/** How it is known who gives a command. @typedef {'as'|'bridge'|'login'|'page'|'program'|'proxy'|'token'} Via */

export {};
