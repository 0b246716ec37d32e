/**
 * The shapes of what the monitor sends (docs/websocket.md), for the type checker.
 * Nothing here runs. Made from the models: `make schema` writes it anew.
 */

/** Where an action stands; the words are those of the tables in every MDSplus dispatcher. @typedef {'ABORTED'|'DISPATCHED'|'DOING'|'DONE'|'NOT_DISPATCHED'|'SERVER_OFF'} ActionState */

/**
 * An alarm. Raised again after an acknowledgement it has a new `number`.
 * @typedef {object} Alarm
 * @property {number} number
 * @property {AlarmKind} kind
 * @property {string} key
 * @property {string} about
 * @property {string} text
 * @property {AlarmSeverity} severity
 * @property {number} first_at
 * @property {number} last_at
 * @property {number} [times]
 * @property {boolean} [active]
 * @property {number|null} [cleared_at]
 * @property {string} [cleared]
 * @property {number|null} [acked_at]
 * @property {string} [acked_by]
 * @property {string} [note]
 * @property {number|null} [shelved_until]
 * @property {string} [shelved_by]
 * @property {string} [shelved_why]
 * @property {string} [help]
 * @property {string} [contact]
 * @property {string|null} [tree]
 * @property {number|null} [shot]
 * @property {string} [phase]
 * @property {string|null} [path]
 * @property {number} [attempt]
 * @property {string|null} [server]
 * @property {number} [members]
 * @property {number} [failing]
 * @property {string[]} [names]
 * @property {ToldHow} [told]
 * @property {string} [told_text]
 */

/** What an alarm is about. @typedef {'action'|'actions'|'command'|'daemon'|'held'|'keeping'|'overflow'|'server'} AlarmKind */

/** How soon somebody has to look. @typedef {'high'|'low'|'medium'} AlarmSeverity */

/**
 * Something to look at, until it is over.
 * @typedef {object} Alert
 * @property {AlertKind} kind
 * @property {string} about
 * @property {string} text
 * @property {number} [at]
 */

/** What somebody should look at. @typedef {'differs'|'failing'|'late'|'lost'|'missing'|'stuck'|'window'} AlertKind */

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
 * @property {FleetView|null} [fleet]
 * @property {Record<string, HostSample[]>} [samples]
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
 * @property {EventRaised|LateResult|Redispatched|CheckReset|PulseCreated|SourceSeen|NoteWritten|null} [record]
 * @property {number} [from]
 * @property {QueueView|null} [queue]
 * @property {Entry[]} [entries]
 * @property {Entry[]} [proposals]
 * @property {HistoryItem[]} [history]
 * @property {QueueChange[]} [changes]
 * @property {(EntriesAdded|EntryChanged|EntriesMoved|EntriesApproved|EntriesRemoved|PlanStarted|PlanEnded)[]} [records]
 * @property {ProgressView|null} [running]
 * @property {LedgerView|null} [ledger]
 * @property {Alarm[]} [alarms]
 * @property {Alarm|null} [alarm]
 * @property {number} [number]
 * @property {number} [newest]
 */

/**
 * `check --reset`: the failures of essential actions so far were seen.
 * @typedef {object} CheckReset
 * @property {'check_reset'} [type]
 * @property {number} time
 * @property {string[]} [remaining]
 */

/** What a row shows. Words and symbols go with it; nobody depends on colour alone. @typedef {'blue'|'green'|'grey'|'grey-outlined'|'orange'|'red'} Colour */

/**
 * Answer to `compare`; `totals` counts actions by what is different.
 * @typedef {object} CompareResult
 * @property {'compare'} [kind]
 * @property {number|null} [next]
 * @property {ShotView|null} [left]
 * @property {ShotView|null} [right]
 * @property {Record<string, number>} [totals]
 * @property {ComparedAction[]} [actions]
 */

/**
 * An action of two shots; a side is missing where the shot has no such action.
 * @typedef {object} ComparedAction
 * @property {string} path
 * @property {string} name
 * @property {string} phase
 * @property {ComparedSide|null} [left]
 * @property {ComparedSide|null} [right]
 * @property {('declaration'|'duration'|'outcome'|'reason')[]} [differs]
 * @property {number|null} [change_s]
 */

/**
 * An action as it has ended in one of two shots.
 * @typedef {object} ComparedSide
 * @property {ActionState} state
 * @property {Status|null} [status]
 * @property {Cause|null} [cause]
 * @property {boolean} [failed]
 * @property {string} [reason]
 * @property {string|null} [server]
 * @property {number} [attempt]
 * @property {number|null} [duration_s]
 */

/**
 * A consumer as it stands.
 * @typedef {object} ConsumerView
 * @property {string} consumer
 * @property {string} group
 * @property {string} [host]
 * @property {number} [leased]
 * @property {number} [credits]
 * @property {number} [done]
 * @property {number} [done_per_minute]
 * @property {boolean} [waiting]
 * @property {number} [seen_s]
 * @property {number|null} [seen_at]
 */

/**
 * How many records of a volume stand how; their sum is `announced`, always.
 * @typedef {object} Counted
 * @property {number} [announced]
 * @property {number} [ready]
 * @property {number} [leased]
 * @property {number} [done]
 * @property {number} [dead]
 * @property {number} [orphaned]
 * @property {number} [removed]
 */

/**
 * Actions by what is shown of them.
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
 * One thing that is not as expected; `expected` is empty for what nobody expects.
 * @typedef {object} Difference
 * @property {string} server
 * @property {'config_hash'|'host'|'labels'|'missing'|'settings'|'slots'|'unexpected'|'version'} what
 * @property {string} [expected]
 * @property {string} [found]
 */

/**
 * A file system that holds a folder which the site has named.
 * @typedef {object} DiskSpace
 * @property {string} path
 * @property {number} total_b
 * @property {number} free_b
 */

/**
 * A server takes nothing more. `finish`: what runs goes on, until `deadline` at the latest.
 * @typedef {object} Drain
 * @property {'finish'|'now'} [mode]
 * @property {number|null} [deadline]
 * @property {'quit'|'restart'|'resume'|'stay'} [then]
 */

/**
 * Entries came in, one behind the other from position `at` on; proposals are a list apart.
 * @typedef {object} EntriesAdded
 * @property {'entries_added'} [type]
 * @property {number} time
 * @property {string} [by]
 * @property {Entry[]} entries
 * @property {number} at
 */

/**
 * Proposals became entries of the queue, from position `at` on.
 * @typedef {object} EntriesApproved
 * @property {'entries_approved'} [type]
 * @property {number} time
 * @property {string} [by]
 * @property {string[]} uids
 * @property {number} at
 */

/**
 * Entries went to position `at` of the list without them, in this order.
 * @typedef {object} EntriesMoved
 * @property {'entries_moved'} [type]
 * @property {number} time
 * @property {string} [by]
 * @property {string[]} uids
 * @property {number} at
 */

/**
 * Entries or proposals were taken out; nothing of them runs.
 * @typedef {object} EntriesRemoved
 * @property {'entries_removed'} [type]
 * @property {number} time
 * @property {string} [by]
 * @property {string[]} uids
 */

/**
 * One entry of the queue. Its uid never changes; a copy has another one.
 * @typedef {object} Entry
 * @property {string} uid
 * @property {PulsePlan} plan
 * @property {EntryState} [state]
 * @property {string} [user]
 * @property {string} [group]
 * @property {number} added_at
 * @property {string} [changed_by]
 * @property {number|null} [changed_at]
 * @property {string} [approved_by]
 * @property {string} [released_by]
 * @property {string} [held]
 * @property {number} [rounds]
 * @property {string} [copy_of]
 * @property {PlanResult|null} [result]
 */

/**
 * An entry became another one in its place; `was` is its uid where it got a new one.
 * @typedef {object} EntryChanged
 * @property {'entry_changed'} [type]
 * @property {number} time
 * @property {string} [by]
 * @property {Entry} entry
 * @property {'released'|'replaced'|'updated'} what
 * @property {string} [was]
 */

/** How an entry stands. @typedef {'ended'|'held'|'proposed'|'queued'|'running'} EntryState */

/**
 * What a server has said to the last order about its workers.
 * @typedef {object} EnvironmentServer
 * @property {string} server
 * @property {'away'|'ended'|'failed'|'ready'|'waiting'} state
 * @property {string} [text]
 * @property {number} [workers]
 */

/** How the workers of the servers that the queue needs stand together. @typedef {'closed'|'closing'|'destroying'|'failed'|'open'|'opening'|'reloading'} EnvironmentState */

/**
 * How the workers of the servers stand that the queue needs.
 * @typedef {object} EnvironmentView
 * @property {EnvironmentState} [state]
 * @property {EnvironmentServer[]} [servers]
 * @property {boolean} [required]
 */

/**
 * What is expected of a run; the time left and what limits it come by themselves.
 * @typedef {object} Estimate
 * @property {number} run
 * @property {number|null} [remaining_s]
 * @property {number} [known]
 * @property {string[]} [critical]
 * @property {string[]} [slow]
 */

/** What became of a completion event. @typedef {'failed'|'intended'|'perhaps_not_raised'|'raised'} EventOutcome */

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

/** What becomes of a pulse that exists already when a plan wants to make it. @typedef {'refuse'|'replace'|'use'} Existing */

/** How a plan ended. @typedef {'aborted'|'completed'|'failed'|'halted'|'stopped'|'unknown'} ExitStatus */

/**
 * A server that should be there; what is left out may be anything.
 * @typedef {object} ExpectedServer
 * @property {string} server
 * @property {string|null} [host]
 * @property {number|null} [slots]
 * @property {string[]|null} [labels]
 * @property {string|null} [version]
 * @property {string|null} [config_hash]
 * @property {ServerSettings|null} [settings]
 */

/**
 * An action of a plan's run that counts as failed.
 * @typedef {object} FailedAction
 * @property {string} path
 * @property {string} state
 * @property {Status|null} [status]
 * @property {string} [cause]
 * @property {string} [reason]
 * @property {number|null} [code]
 * @property {string} [server]
 * @property {number} [attempt]
 * @property {number|null} [ended_at]
 * @property {number|null} [duration_s]
 */

/**
 * An attempt that has failed, and what has become of the action since.
 * @typedef {object} FailedAttempt
 * @property {string} tree
 * @property {number} shot
 * @property {string} path
 * @property {string} name
 * @property {string} [phase]
 * @property {number|null} [run]
 * @property {number} [attempt]
 * @property {ActionState} state
 * @property {Status|null} [status]
 * @property {Cause|null} [cause]
 * @property {string} [reason]
 * @property {number|null} [code]
 * @property {string|null} [server]
 * @property {number} at
 * @property {number|null} [duration_s]
 * @property {string} [since]
 */

/** Which failed actions make a plan a failed one. @typedef {'any'|'essential'|'none'} FailsOn */

/**
 * Answer to `failures`.
 * @typedef {object} FailuresResult
 * @property {'failures'} [kind]
 * @property {number} [looked_at]
 * @property {number|null} [back_to]
 * @property {string|null} [next]
 * @property {string[]} [unread]
 * @property {FailedAttempt[]} [failures]
 */

/**
 * Something that has happened to a file or one of its records.
 * @typedef {object} FileEvent
 * @property {number} time
 * @property {string} text
 * @property {number|null} [number]
 */

/**
 * A file that no record was made of, and why.
 * @typedef {object} FileKeptOut
 * @property {string} path
 * @property {string} generation
 * @property {string} [rule]
 * @property {string} reason
 * @property {number} [at]
 */

/**
 * One of them: why, who said so, and since when.
 * @typedef {object} Flag
 * @property {FlagKind} kind
 * @property {string} [reason]
 * @property {string} [by]
 * @property {number} [at]
 * @property {number|null} [until]
 */

/** What holds for a server beside its being alive or not. @typedef {'differs'|'draining'|'failing'|'leaving'|'limited'|'out_of_hours'|'stuck'} FlagKind */

/**
 * What became of a command for one server (or host).
 * @typedef {object} FleetAnswer
 * @property {string} server
 * @property {boolean} done
 * @property {string} text
 */

/**
 * Answer to what was asked of servers: a line for each.
 * @typedef {object} FleetAnswers
 * @property {'fleet_answers'} [kind]
 * @property {FleetAnswer[]} [answers]
 */

/**
 * Answer to `fleet_expected`: the file, and what is not as it says.
 * @typedef {object} FleetExpectedResult
 * @property {'fleet_expected'} [kind]
 * @property {ExpectedServer[]} [expected]
 * @property {string} [by]
 * @property {number} [at]
 * @property {Difference[]} [differences]
 */

/**
 * The whole fleet in numbers.
 * @typedef {object} FleetTotals
 * @property {number} [hosts]
 * @property {number} [servers]
 * @property {number} [alive]
 * @property {number} [suspect]
 * @property {number} [lost]
 * @property {number} [absent]
 * @property {number} [slots]
 * @property {number} [usable]
 * @property {number} [busy]
 * @property {number} [done]
 * @property {number} [failed]
 * @property {number} [cpu_time_s]
 */

/**
 * The fleet but for its servers.
 * @typedef {object} FleetView
 * @property {FleetTotals} [totals]
 * @property {WindowView[]} [windows]
 * @property {string[]} [expected_missing]
 * @property {Alert[]} [alerts]
 * @property {Starting[]} [starting]
 */

/**
 * A place where the words were found.
 * @typedef {object} Found
 * @property {string} tree
 * @property {number} shot
 * @property {'action'|'note'|'output'|'reason'|'server'|'who'} where
 * @property {number} at
 * @property {string} text
 * @property {string} [path]
 * @property {number|null} [attempt]
 * @property {number|null} [line]
 */

/**
 * Answer to `find_shots`: the newest first, without their sources.
 * @typedef {object} FoundShotsResult
 * @property {'find_shots'} [kind]
 * @property {number} [looked_at]
 * @property {number|null} [back_to]
 * @property {string|null} [next]
 * @property {string[]} [unread]
 * @property {ShotView[]} [shots]
 */

/**
 * A function that tasks may call, as it is told: for forms, as `KindView`.
 * @typedef {object} FunctionView
 * @property {string} name
 * @property {string} [description]
 * @property {string} server_class
 * @property {number|null} [timeout_s]
 * @property {any} [parameters_schema]
 */

/**
 * A group of consumers as it stands.
 * @typedef {object} GroupView
 * @property {string} group
 * @property {number} [ready]
 * @property {number} [delayed]
 * @property {number} [leased]
 * @property {number} [dead]
 * @property {number} [credits]
 * @property {number|null} [oldest_ready_s]
 * @property {number|null} [oldest_ready_at]
 * @property {number} [done_per_minute]
 */

/**
 * What the site's check of a host says.
 * @typedef {object} Health
 * @property {boolean} ok
 * @property {string} [text]
 * @property {number} at
 * @property {boolean} [resumes]
 */

/**
 * An entry that has ended, with what became of it.
 * @typedef {object} HistoryItem
 * @property {Entry} entry
 * @property {PlanResult} result
 */

/**
 * A host as one of its servers has measured it.
 * @typedef {object} HostFacts
 * @property {number} cpus
 * @property {number} cpu_percent
 * @property {number} load_1
 * @property {number} memory_total_b
 * @property {number} memory_used_b
 * @property {number} [swap_total_b]
 * @property {number} [swap_used_b]
 * @property {DiskSpace[]} [disks]
 * @property {number|null} [temperature_c]
 * @property {number|null} [clock_offset_s]
 */

/** What a server has told of its host at some time; shares in percent. @typedef {[number, number, number, number, number, number, number|null, number]} HostSample */

/**
 * When a server works, every day: from `start` on it takes work, from `stop` on nothing more.
 * @typedef {object} Hours
 * @property {string|null} [start]
 * @property {string|null} [stop]
 * @property {string|null} [end]
 * @property {string} [zone]
 */

/** How the dispatcher's journal stands; the words are shown to operators. @typedef {'degraded'|'ok'|'stopped'} JournalState */

/**
 * A kind as it is told: with the JSON schema of its parameters, for forms and checks.
 * @typedef {object} KindView
 * @property {string} name
 * @property {PlanKind} kind
 * @property {any} parameters_schema
 * @property {string[]} [phases_known]
 * @property {number} [users]
 */

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
 * How everything stands, for who looks all the time: nothing in it grows older by itself.
 * @typedef {object} LedgerView
 * @property {VolumeView[]} [volumes]
 * @property {GroupView[]} [groups]
 * @property {ConsumerView[]} [consumers]
 * @property {number} [consumers_all]
 * @property {number} [changes]
 */

/**
 * A line of a server's own log.
 * @typedef {object} LoggedLine
 * @property {number} at
 * @property {string} level
 * @property {string} text
 */

/**
 * One danger that stands in a command's way: its code, and what it is in this case.
 * @typedef {object} Danger
 * @property {DangerCode} danger
 * @property {string} text
 */

/**
 * Somebody has written a note on a shot, or on one of its actions.
 * @typedef {object} NoteWritten
 * @property {'note_written'} [type]
 * @property {number} time
 * @property {number} note
 * @property {string} [path]
 * @property {string} [text]
 * @property {string} by
 * @property {number|null} [first_at]
 * @property {string} [first_by]
 * @property {boolean} [removed]
 */

/** What a watcher is to do. @typedef {'replay'|'scan'} OrderKind */

/** How a command ended; each has its exit code. @typedef {'accepted'|'error'|'failed'|'nobody'|'ok'|'refused'|'usage'} Outcome */

/**
 * One parameter of a kind, and where its value goes: a node of the pulse, or the tasks.
 * @typedef {object} Parameter
 * @property {'any'|'integer'|'list'|'number'|'object'|'switch'|'text'} [type]
 * @property {string} [description]
 * @property {string} [unit]
 * @property {boolean} [required]
 * @property {any} [default]
 * @property {number|null} [minimum]
 * @property {number|null} [maximum]
 * @property {number|null} [step]
 * @property {any[]} [choices]
 * @property {'any'|'integer'|'number'|'switch'|'text'} [items]
 * @property {number} [length_max]
 * @property {string|null} [node]
 * @property {string|null} [variable]
 */

/**
 * One data record of a file. The whole file is one without a name.
 * @typedef {object} Part
 * @property {string} [name]
 * @property {number} [number]
 * @property {number} [sequence]
 */

/**
 * Names that may be used: those that an allowed pattern fits and no forbidden one.
 * @typedef {object} Patterns
 * @property {string[]} [allowed]
 * @property {string[]} [forbidden]
 */

/**
 * What the actions are that a run has reset.
 * @typedef {object} PendingAgain
 * @property {ActionState} state
 * @property {number} run
 * @property {Colour} colour
 * @property {Category} category
 */

/** Whether a phase of a plan runs, by what came before it. @typedef {'always'|'on_failure'|'on_success'} PhaseWhen */

/**
 * What became of one plan of several.
 * @typedef {object} PlanAnswer
 * @property {boolean} ok
 * @property {RefusalCode|null} [code]
 * @property {string} [message]
 */

/**
 * The running plan has ended. `back` is a copy that goes to the queue, first or last.
 * @typedef {object} PlanEnded
 * @property {'plan_ended'} [type]
 * @property {number} time
 * @property {string} [by]
 * @property {HistoryItem} item
 * @property {Entry|null} [back]
 * @property {boolean} [at_back]
 */

/** How somebody ends the running plan. @typedef {'abort'|'halt'|'stop'} PlanEnding */

/**
 * A kind of pulse plans. What it leaves out (None) each plan says itself.
 * @typedef {object} PlanKind
 * @property {string} [description]
 * @property {string|null} [experiment]
 * @property {PlanPhase[]|null} [phases]
 * @property {Record<string, Parameter>} [parameters]
 * @property {Existing} [existing]
 * @property {FailsOn} [fails_on]
 * @property {number} [repeat_max]
 */

/**
 * One phase of a plan. A closing one runs also after a stop or an abort.
 * @typedef {object} PlanPhase
 * @property {string} phase
 * @property {PhaseWhen} [when]
 * @property {boolean} [closing]
 */

/**
 * How far the running plan is, as the records tell.
 * @typedef {object} PlanProgress
 * @property {Entry} entry
 * @property {PulsePlan} plan
 * @property {number} began_at
 * @property {boolean} [executed]
 * @property {number} [begun]
 * @property {string} [tree]
 * @property {number} [shot]
 * @property {PlanStep|null} [step]
 * @property {number} [phase]
 * @property {string} [command]
 * @property {boolean} [closing]
 * @property {PlanStep[]} [done]
 * @property {number} [phases_done]
 * @property {PlanRun[]} [runs]
 * @property {PlanRun|null} [run]
 * @property {string} [failure]
 * @property {string[]} [notices]
 * @property {''|'asked'|'immediate'} [pause]
 * @property {string} [paused]
 * @property {string[]} [aborted]
 * @property {PlanEnding|null} [ending]
 * @property {string} [ended_by]
 * @property {string} [ending_reason]
 */

/**
 * What became of a plan.
 * @typedef {object} PlanResult
 * @property {ExitStatus} exit_status
 * @property {string} [message]
 * @property {string} [tree]
 * @property {number} [shot]
 * @property {number} began_at
 * @property {number} ended_at
 * @property {string} [ended_by]
 * @property {PlanRun[]} [runs]
 */

/**
 * One run of a plan, for the history; its actions are had by `wait` and `show`.
 * @typedef {object} PlanRun
 * @property {string} tree
 * @property {number} shot
 * @property {number} run
 * @property {string} phase
 * @property {string} [outcome]
 * @property {string} [reason]
 * @property {Counts} [counts]
 * @property {FailedAction[]} [failed]
 * @property {number} opened_at
 * @property {number|null} [ended_at]
 * @property {number|null} [duration_s]
 */

/**
 * An entry left the queue and runs; `executed`: it was never in it, and never goes there.
 * @typedef {object} PlanStarted
 * @property {'plan_started'} [type]
 * @property {number} time
 * @property {string} [by]
 * @property {Entry} entry
 * @property {PulsePlan} plan
 * @property {boolean} [executed]
 */

/** What a running plan does, in this order. @typedef {'build'|'create'|'number'|'phase'|'write'} PlanStep */

/**
 * How far the running plan is; times are measured where it runs.
 * @typedef {object} ProgressView
 * @property {string} [phase]
 * @property {number} [phase_number]
 * @property {number} [phases]
 * @property {number} [done]
 * @property {number} [total]
 * @property {number} [elapsed_s]
 * @property {number|null} [left_s]
 */

/**
 * The pulse was made from the model, or made again.
 * @typedef {object} PulseCreated
 * @property {'pulse_created'} [type]
 * @property {number} time
 * @property {boolean} [replaced]
 * @property {string} [who]
 */

/**
 * What somebody wants to run: a kind with its parameters, or experiment and phases.
 * @typedef {object} PulsePlan
 * @property {'pulse'|'stop'} [type]
 * @property {string} [kind]
 * @property {string|null} [experiment]
 * @property {number|'next'} [shot]
 * @property {PlanPhase[]|null} [phases]
 * @property {Record<string, any>} [parameters]
 * @property {number} [repeat]
 * @property {Existing|null} [existing]
 * @property {FailsOn|null} [fails_on]
 * @property {Record<string, any>} [meta]
 * @property {string} [note]
 */

/**
 * What somebody has changed, for whom did not know it.
 * @typedef {object} QueueChange
 * @property {number} version
 * @property {number} time
 * @property {string} by
 * @property {string} text
 * @property {string[]} [uids]
 */

/**
 * What a group sees and may use.
 * @typedef {object} QueueGroup
 * @property {string} [description]
 * @property {Patterns} [kinds]
 * @property {Patterns} [experiments]
 * @property {Patterns} [classes]
 * @property {Patterns} [functions]
 */

/**
 * A lock, without its key.
 * @typedef {object} QueueLockView
 * @property {string} user
 * @property {string} [note]
 * @property {boolean} [queue]
 * @property {boolean} [environment]
 * @property {number} time
 */

/**
 * How the queue goes on by itself.
 * @typedef {object} QueueModes
 * @property {boolean} [loop]
 * @property {boolean} [ignore_failures]
 * @property {boolean} [autostart]
 */

/**
 * A refusal: its code, the state that it rests on, and what else helps.
 * @typedef {object} QueueRefused
 * @property {'queue_refused'} [kind]
 * @property {RefusalCode} code
 * @property {QueueState} state
 * @property {number} [version]
 * @property {PlanAnswer[]} [answers]
 * @property {QueueChange[]} [changes]
 * @property {string[]} [aborted]
 */

/** What the queue does. @typedef {'armed'|'idle'|'paused'|'pausing'|'running'|'stopping'} QueueState */

/**
 * A function of the configuration that somebody had run, and what came of it.
 * @typedef {object} QueueTask
 * @property {string} uid
 * @property {string} function
 * @property {any[]} [positional]
 * @property {Record<string, any>} [arguments]
 * @property {string} [user]
 * @property {string} [group]
 * @property {boolean} [background]
 * @property {TaskState} [state]
 * @property {string} [server]
 * @property {string} [message]
 * @property {any} [value]
 * @property {number} began_at
 * @property {number|null} [ended_at]
 * @property {number|null} [duration_s]
 */

/**
 * The queue in short.
 * @typedef {object} QueueView
 * @property {QueueState} state
 * @property {string} text
 * @property {Versions} versions
 * @property {number} [entries]
 * @property {number} [held]
 * @property {number} [proposals]
 * @property {number} [history]
 * @property {number} [history_total]
 * @property {PlanProgress|null} [running]
 * @property {ProgressView|null} [progress]
 * @property {boolean} [armed]
 * @property {boolean} [stop_pending]
 * @property {boolean} [pause_pending]
 * @property {QueueModes} [modes]
 * @property {QueueLockView|null} [lock]
 * @property {boolean} [emergency_key_set]
 * @property {EnvironmentView} [environment]
 * @property {string[]} [allowed]
 * @property {'front'|'held'} [return_as]
 */

/**
 * How much a server still serves before it ends. 0: it takes nothing more, and ends.
 * @typedef {object} QuitAfter
 * @property {number} n
 * @property {'actions'|'runs'|'shots'} [unit]
 */

/**
 * An action that a server runs or has run, as it stands.
 * @typedef {object} RanAction
 * @property {string} tree
 * @property {number} shot
 * @property {string} name
 * @property {Colour} colour
 * @property {Transition} last
 */

/** How a data record stands. Those that are announced are the sum of all of these. @typedef {'dead'|'done'|'leased'|'orphaned'|'ready'|'removed'} RecordState */

/**
 * A record that is not done.
 * @typedef {object} RecordView
 * @property {number} number
 * @property {string} volume
 * @property {string} path
 * @property {string} generation
 * @property {Part} part
 * @property {string} group
 * @property {string} rule
 * @property {RecordState} state
 * @property {number} [attempts]
 * @property {string} [token]
 * @property {string} [consumer]
 * @property {number|null} [left_s]
 * @property {string} [reason]
 * @property {number} announced_at
 * @property {number} [size_b]
 * @property {number|null} [run]
 * @property {string} [record_type]
 * @property {string} [key]
 */

/**
 * Answer to `records_file`. The story goes back as far as the dispatcher remembers.
 * @typedef {object} RecordsFileResult
 * @property {'records_file'} [kind]
 * @property {string} volume
 * @property {string} path
 * @property {RecordView[]} [records]
 * @property {FileKeptOut|null} [quarantine]
 * @property {FileEvent[]} [story]
 */

/**
 * Answer to `records_list`.
 * @typedef {object} RecordsListResult
 * @property {'records_list'} [kind]
 * @property {number|null} [next]
 * @property {RecordView[]} [records]
 */

/**
 * Answer to `records_status`.
 * @typedef {object} RecordsStatusResult
 * @property {'records_status'} [kind]
 * @property {VolumeView[]} [volumes]
 * @property {GroupView[]} [groups]
 * @property {ConsumerView[]} [consumers]
 */

/**
 * Somebody asked for one action again: its next attempt is exempt from sequences.
 * @typedef {object} Redispatched
 * @property {'redispatched'} [type]
 * @property {number} time
 * @property {number} run
 * @property {string} path
 * @property {string} [command]
 * @property {string} [who]
 */

/** Why the queue refuses; the words beside it are for people and may change. @typedef {'aborted_actions'|'bad_parameter'|'bad_plan'|'bad_position'|'changed'|'full'|'held'|'locked'|'no_environment'|'no_servers'|'not_allowed'|'not_held'|'not_locked'|'not_proposed'|'running_entry'|'unknown_entry'|'unknown_experiment'|'unknown_function'|'unknown_group'|'unknown_kind'|'unknown_phase'|'unknown_task'|'wrong_key'|'wrong_state'} RefusalCode */

/** How often a maintenance window comes. @typedef {'daily'|'once'|'weekdays'|'weekly'} Repeat */

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
 * @property {string} [who]
 */

/**
 * Answer to `search`; `lines` of output were looked at.
 * @typedef {object} SearchResult
 * @property {'search'} [kind]
 * @property {number} [looked_at]
 * @property {number|null} [back_to]
 * @property {string|null} [next]
 * @property {string[]} [unread]
 * @property {Found[]} [found]
 * @property {number} [lines]
 */

/**
 * Which servers are meant: those that one pattern of each list that is given fits.
 * @typedef {object} Select
 * @property {string[]} [classes]
 * @property {string[]} [hosts]
 * @property {string[]} [labels]
 * @property {string[]} [servers]
 */

/**
 * What a server tells of itself; what it has done counts from the start of its process.
 * @typedef {object} ServerFacts
 * @property {string} [python]
 * @property {string} [mdsplus]
 * @property {string} [config_hash]
 * @property {number} [done]
 * @property {number} [failed]
 * @property {number} [cpu_time_s]
 * @property {number} [heartbeat_s]
 * @property {HostFacts|null} [host]
 * @property {Health|null} [health]
 */

/**
 * Answer to `server_log`: the newest last; of a server that is gone its last words.
 * @typedef {object} ServerLogResult
 * @property {'server_log'} [kind]
 * @property {string} server
 * @property {LoggedLine[]} [lines]
 */

/**
 * Answer to `GET /api/server_past`: what a server has run of the shots that are held here.
 * @typedef {object} ServerPastAnswer
 * @property {RanAction[]} [actions]
 */

/**
 * What a server is set to; None: as it is by itself.
 * @typedef {object} ServerSettings
 * @property {number|null} [slots]
 * @property {Hours|null} [hours]
 * @property {QuitAfter|null} [quit_after]
 * @property {Drain|null} [drain]
 * @property {number|null} [heartbeat_s]
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
 * @property {NoteWritten[]} [notes]
 * @property {number|null} [changed_at]
 * @property {''|'imported'|'kept'} [kept]
 * @property {string} [kept_words]
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
 * @property {string|null} [label]
 * @property {number|null} [timeout_s]
 * @property {string|null} [completion_event]
 * @property {string} [event_trouble]
 * @property {string|null} [unreadable]
 * @property {string} [help]
 * @property {string} [contact]
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
 * @property {Flag[]} [flags]
 * @property {ServerSettings|null} [settings]
 * @property {number} [usable]
 * @property {string[]} [labels]
 * @property {ServerFacts|null} [facts]
 * @property {ServerState} state
 */

/**
 * Somebody looked whether the tables' sources have changed since they were built.
 * @typedef {object} SourceSeen
 * @property {'source_seen'} [type]
 * @property {number} time
 * @property {string} [changed]
 */

/**
 * Servers of a class that were asked for and are not there yet.
 * @typedef {object} Starting
 * @property {string} server_class
 * @property {number} pilots
 * @property {string} [reason]
 * @property {number} [since]
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

/** How a task stands. @typedef {'completed'|'failed'|'running'} TaskState */

/** What became of the site's own alarm command. @typedef {''|'begun'|'failed'|'perhaps'|'told'} ToldHow */

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

/**
 * An action in one shot, as it has ended there.
 * @typedef {object} TrendPoint
 * @property {number} shot
 * @property {number} at
 * @property {ActionState} state
 * @property {Status|null} [status]
 * @property {boolean} [failed]
 * @property {string} [reason]
 * @property {number} [attempt]
 * @property {string|null} [server]
 * @property {number|null} [duration_s]
 * @property {boolean} [kept]
 */

/**
 * Answer to `trend`: the oldest shot first; numbers are of the attempts that were successful.
 * @typedef {object} TrendResult
 * @property {'trend'} [kind]
 * @property {string} tree
 * @property {string} path
 * @property {string} name
 * @property {TrendPoint[]} [points]
 * @property {number} [looked_at]
 * @property {number} [measured]
 * @property {number|null} [median_s]
 * @property {number|null} [low_s]
 * @property {number|null} [high_s]
 * @property {number|null} [slope_s]
 * @property {'longer'|'shorter'|'steady'|'unknown'} [trend]
 * @property {string} [words]
 */

/**
 * A number for each list, that rises with its every change, and never falls.
 * @typedef {object} Versions
 * @property {number} [queue]
 * @property {number} [running]
 * @property {number} [history]
 * @property {number} [status]
 * @property {number} [modes]
 * @property {number} [lock]
 * @property {number} [groups]
 * @property {number} [kinds]
 * @property {number} [tasks]
 * @property {number} [environment]
 */

/** How it is known who gives a command. @typedef {'as'|'bridge'|'login'|'page'|'program'|'proxy'|'token'} Via */

/**
 * A volume as it stands.
 * @typedef {object} VolumeView
 * @property {string} volume
 * @property {string} [host]
 * @property {string} [folder]
 * @property {Counted} [counts]
 * @property {number} [per_minute]
 * @property {number} [done_per_minute]
 * @property {number|null} [oldest_ready_s]
 * @property {number|null} [oldest_ready_at]
 * @property {boolean} [late]
 * @property {DiskSpace|null} [disk]
 * @property {boolean} [low]
 * @property {boolean} [watched]
 * @property {number|null} [seen_at]
 * @property {number} [known]
 * @property {number} [waiting]
 * @property {number} [unsent]
 * @property {number|null} [scanned_at]
 * @property {number|null} [scan_s]
 * @property {string} [trouble]
 * @property {number} [kept_out]
 * @property {FileKeptOut[]} [quarantine]
 * @property {WatchOrder[]} [orders]
 */

/**
 * Something that the watcher of a volume is to do once.
 * @typedef {object} WatchOrder
 * @property {string} id
 * @property {OrderKind} kind
 * @property {number} [since]
 * @property {string} [pattern]
 * @property {string|null} [group]
 */

/**
 * A maintenance window: meanwhile the servers that are meant take nothing more.
 * @typedef {object} Window
 * @property {string} id
 * @property {Select} select
 * @property {number} begins_at
 * @property {number} duration_s
 * @property {Repeat} [repeat]
 * @property {string} [zone]
 * @property {number|null} [until]
 * @property {'finish'|'now'} [mode]
 * @property {string} [reason]
 * @property {string} [by]
 * @property {number} [at]
 */

/**
 * A maintenance window, and when it comes next.
 * @typedef {object} WindowView
 * @property {Window} window
 * @property {boolean} [is_open]
 * @property {number|null} [next_at]
 * @property {number|null} [next_until]
 * @property {string[]} [servers]
 */

export {};
