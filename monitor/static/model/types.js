/**
 * The shapes of what the monitor sends (docs/websocket.md, /api/openapi.json), for the type checker.
 * Nothing here runs.
 */

/** @typedef {'NOT_DISPATCHED'|'DISPATCHED'|'DOING'|'DONE'|'ABORTED'|'SERVER_OFF'} ActionState */
/** @typedef {'blue'|'orange'|'green'|'red'|'grey'|'grey-outlined'} Colour */
/** @typedef {'failed'|'server_off'|'in_progress'|'pending'|'success'|'not_dispatched'} Category */

/**
 * An action's whole live state: the journal's record. Fields at their default are left out.
 * @typedef {object} Transition
 * @property {ActionState} state
 * @property {number} [time]
 * @property {number|null} [run]
 * @property {number} [attempt]
 * @property {'Success'|'Failure'|null} [status]
 * @property {string|null} [cause]
 * @property {string} [reason]
 * @property {number|null} [code]
 * @property {boolean} [outcome_unknown]
 * @property {boolean} [aborting]
 * @property {string|null} [server]
 * @property {number|null} [dispatched_at]
 * @property {number|null} [started_at]
 * @property {number|null} [ended_at]
 * @property {number|null} [duration_s]
 */

/**
 * @typedef {object} ActionView
 * @property {string} path
 * @property {string} [name]
 * @property {string} [server_class]
 * @property {string} [phase]
 * @property {string} [when]
 * @property {number|null} [number]
 * @property {string[]} [references]
 * @property {boolean} [on]
 * @property {boolean} [asynchronous]
 * @property {boolean} [essential]
 * @property {number|null} [timeout_s]
 * @property {string|null} [completion_event]
 * @property {string} [event_trouble] why its completion event was not, or perhaps not, raised
 * @property {string|null} [unreadable]
 * @property {string|null} [never] why it is never dispatched
 * @property {string} [text]
 * @property {Transition} last
 * @property {boolean} [failed]
 * @property {string} [waits_for]
 * @property {number|null} [progress]
 * @property {string} [progress_text]
 * @property {Colour} colour
 * @property {Category} category
 */

/** How many there are; what is left out is 0. @typedef {Partial<Record<Category, number>>} Counts */

/**
 * @typedef {object} RunView
 * @property {string} tree
 * @property {number} shot
 * @property {number} run
 * @property {'phase'|'sequence'|'single'} kind
 * @property {string} phase
 * @property {number|null} [first]
 * @property {number|null} [last]
 * @property {'open'|'aborting'|'held'|'ended'} state
 * @property {'completed'|'aborted'|null} [outcome]
 * @property {string} [reason]
 * @property {number} opened_at
 * @property {number|null} [ended_at]
 * @property {number|null} [duration_s]
 * @property {Partial<Record<Category, number>>} [counts]
 */

/**
 * @typedef {object} ShotView
 * @property {string} tree
 * @property {number} shot
 * @property {number|null} [built_at]
 * @property {string[]} [phases]
 * @property {number} [actions]
 * @property {RunView[]} [runs]
 * @property {string[]} [essential_failures]
 * @property {string} [source_changed] what has changed since its tables were built
 * @property {boolean} [current]
 */

/**
 * @typedef {object} Estimate
 * @property {number} [run]
 * @property {number|null} [remaining_s]
 * @property {number} [known] share of the open actions whose usual duration is known
 * @property {string[]} [critical]
 * @property {string[]} [slow]
 */

/** @typedef {'ON'|'SUSPECT'|'DRAINING'|'OFF'} ServerState */

/**
 * @typedef {object} ServerView
 * @property {string} server
 * @property {string} server_class
 * @property {string} server_id
 * @property {'alive'|'suspect'|'lost'|'absent'} liveness
 * @property {ServerState} state
 * @property {boolean} [draining]
 * @property {string} [why]
 * @property {string} [host]
 * @property {string} [address] network address, as the broker sees it
 * @property {number} [pid]
 * @property {string} [version]
 * @property {number} [slots]
 * @property {number} [stuck]
 * @property {number} [broken] slots that have no worker because none starts
 * @property {string} [trouble] why none starts
 * @property {string[]} [busy]
 * @property {number} [unanswered]
 * @property {string} [incarnation]
 * @property {number} [epoch]
 * @property {number|null} [started_at]
 * @property {number|null} [last_seen_at]
 * @property {number|null} [round_trip_s]
 * @property {string|null} [url]
 */

/**
 * @typedef {object} SystemView
 * @property {string} [broker]
 * @property {string} [version]
 * @property {string} [life]
 * @property {'connecting'|'live'|'stopped'} feed
 * @property {number|null} [feed_stopped_at]
 * @property {'broker'|'dispatcher'|null} [away]
 * @property {string} [dispatcher]
 * @property {number|null} [term]
 * @property {'ok'|'degraded'|'stopped'} [journal]
 * @property {string} [journal_text]
 * @property {boolean} [recovering]
 * @property {[string, number]|null} [current]
 * @property {string[]} [experiments]
 * @property {'operator'|'viewer'} [role]
 */

/**
 * One message of a channel. Which fields it has depends on `command`.
 * @typedef {object} Message
 * @property {string} command
 * @property {number} seq
 * @property {number} [time]
 * @property {string} [task_id]
 * @property {string} [task_state]
 * @property {Transition} [action]
 * @property {boolean} [failed]
 * @property {Colour} [colour]
 * @property {Category} [category]
 * @property {string} [phase]
 * @property {Counts|Record<string, Counts>} [counts] of a phase, or by phase
 * @property {ShotView} [shot]
 * @property {ActionView[]} [actions]
 * @property {ActionView} [view]
 * @property {Record<string, number>} [medians]
 * @property {Estimate|null} [estimate]
 * @property {RunView|number} [run]
 * @property {[number, number][]} [reset] places of the actions that are pending now, from and to
 * @property {{state: ActionState, run: number, colour: Colour, category: Category}} [pending]
 * @property {number|null} [remaining_s]
 * @property {number} [known]
 * @property {string[]} [critical]
 * @property {string[]} [slow]
 * @property {Record<string, string>} [waits]
 * @property {string} [trouble] why a completion event was not, or perhaps not, raised
 * @property {number} [progress]
 * @property {string} [text]
 * @property {ServerView[]} [servers]
 * @property {Record<string, [number, number|null][]>} [heartbeats]
 * @property {string|ServerView} [server]
 * @property {SystemView} [system]
 * @property {ShotView[]} [shots]
 * @property {string} [tree]
 * @property {string} [level]
 * @property {string} [source]
 * @property {number} [from]
 * @property {number} [to]
 * @property {string} [reason]
 * @property {number} [attempt]
 * @property {number} [stream]
 * @property {number} [first]
 * @property {[number, number, string][]} [lines]
 * @property {{path?: string, attempt?: number, event?: string, outcome?: string, reason?: string, changed?: string}} [record]
 */

/** @typedef {'pulse_exists'|'outcome_unknown'|'off'|'source_changed'|'succeeded'|'old_shot'|'ends'} DangerCode */
/** @typedef {{danger: DangerCode, text: string}} Danger */

/**
 * What a command is answered with.
 * @typedef {object} Answer
 * @property {number} status HTTP status; 0 when nobody answered
 * @property {'ok'|'accepted'|'failed'|'refused'|'nobody'|'usage'|'error'} outcome
 * @property {string} message
 * @property {string[]} notices
 * @property {Danger[]} dangers refused, until somebody insists on each of these
 * @property {any} result
 * @property {{field: string, message: string}[]} fields
 */

export {};
