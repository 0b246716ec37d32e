/**
 * The commands: who may give each, and the buttons for some beside runs and servers, in their order
 * there. Made from the commands' classes: `make schema` writes it anew.
 */

/**
 * @typedef {object} Verb
 * @property {string} scope who may do what is of it may give the command
 * @property {boolean} always also where another has the control
 */

/**
 * @typedef {object} Button
 * @property {string} verb
 * @property {'run'|'server'} beside
 * @property {number} place among the buttons there
 * @property {string} text
 * @property {string} title
 * @property {string[]} states in which it can be pressed
 * @property {string} question is asked first, of the target `{}`; '': nothing is
 * @property {string} says with the question
 * @property {boolean} aborts what is running there, which is listed
 */

/** @type {Record<string, Verb>} */
export const VERBS = {
  create_pulse: {"scope": "command", "always": false},
  build_tables: {"scope": "command", "always": false},
  write_nodes: {"scope": "command", "always": false},
  do_phase: {"scope": "command", "always": false},
  do_sequence: {"scope": "command", "always": false},
  dispatch: {"scope": "command", "always": false},
  abort: {"scope": "command", "always": true},
  abort_pending: {"scope": "command", "always": true},
  hold: {"scope": "command", "always": true},
  resume: {"scope": "command", "always": false},
  wait: {"scope": "read", "always": false},
  server_restart: {"scope": "servers", "always": false},
  server_abort: {"scope": "servers", "always": true},
  server_stop: {"scope": "servers", "always": false},
  server_quit: {"scope": "servers", "always": false},
  run_function: {"scope": "command", "always": false},
  server_workers: {"scope": "servers", "always": false},
  clear_url: {"scope": "servers", "always": false},
  status: {"scope": "read", "always": false},
  servers: {"scope": "read", "always": false},
  server_log: {"scope": "read", "always": false},
  actions: {"scope": "read", "always": false},
  print_pending: {"scope": "read", "always": false},
  show: {"scope": "read", "always": false},
  logs: {"scope": "read", "always": false},
  check: {"scope": "command", "always": false},
  snapshot: {"scope": "read", "always": false},
  tree: {"scope": "read", "always": false},
  current: {"scope": "command", "always": false},
  shots: {"scope": "read", "always": false},
  audit: {"scope": "administer", "always": true},
  quit: {"scope": "administer", "always": false},
  fleet: {"scope": "read", "always": false},
  fleet_slots: {"scope": "servers", "always": false},
  fleet_hours: {"scope": "servers", "always": false},
  fleet_drain: {"scope": "servers", "always": false},
  fleet_resume: {"scope": "servers", "always": false},
  fleet_quit_after: {"scope": "servers", "always": false},
  fleet_heartbeat: {"scope": "servers", "always": false},
  fleet_dismiss: {"scope": "servers", "always": false},
  fleet_window: {"scope": "servers", "always": false},
  fleet_add: {"scope": "servers", "always": false},
  fleet_window_remove: {"scope": "servers", "always": false},
  fleet_expect: {"scope": "servers", "always": false},
  fleet_expected: {"scope": "read", "always": false},
  alarms: {"scope": "read", "always": false},
  alarms_ack: {"scope": "command", "always": true},
  alarms_shelve: {"scope": "command", "always": true},
  find_shots: {"scope": "read", "always": false},
  failures: {"scope": "read", "always": false},
  search: {"scope": "read", "always": false},
  compare: {"scope": "read", "always": false},
  trend: {"scope": "read", "always": false},
  export: {"scope": "read", "always": false},
  import_piece: {"scope": "command", "always": false},
  import_shot: {"scope": "command", "always": false},
  note: {"scope": "command", "always": true},
  queue_add: {"scope": "command", "always": false},
  queue_propose: {"scope": "propose", "always": true},
  queue_approve: {"scope": "command", "always": false},
  queue_update: {"scope": "command", "always": false},
  queue_move: {"scope": "command", "always": false},
  queue_remove: {"scope": "command", "always": false},
  queue_clear: {"scope": "command", "always": false},
  queue_release: {"scope": "command", "always": false},
  queue_mode: {"scope": "command", "always": false},
  queue_autostart: {"scope": "command", "always": false},
  queue_start: {"scope": "command", "always": false},
  queue_stop: {"scope": "command", "always": false},
  queue_execute: {"scope": "command", "always": false},
  queue_pause: {"scope": "command", "always": false},
  queue_resume: {"scope": "command", "always": false},
  queue_end: {"scope": "command", "always": true},
  queue_environment: {"scope": "servers", "always": false},
  queue_lock: {"scope": "command", "always": false},
  queue_unlock: {"scope": "command", "always": false},
  queue_set_groups: {"scope": "command", "always": false},
  queue_hide_history: {"scope": "command", "always": false},
  queue_run_task: {"scope": "command", "always": false},
  queue_status: {"scope": "read", "always": false},
  queue_list: {"scope": "read", "always": false},
  queue_get: {"scope": "read", "always": false},
  queue_kinds: {"scope": "read", "always": false},
  queue_allowed: {"scope": "read", "always": false},
  queue_history: {"scope": "read", "always": false},
  queue_tasks: {"scope": "read", "always": false},
  queue_lock_info: {"scope": "read", "always": false},
  records_lease: {"scope": "records", "always": true},
  records_renew: {"scope": "records", "always": true},
  records_complete: {"scope": "records", "always": true},
  records_return: {"scope": "records", "always": true},
  records_credit: {"scope": "records", "always": true},
  records_leave: {"scope": "records", "always": true},
  records_announce: {"scope": "records", "always": true},
  records_gone: {"scope": "records", "always": true},
  records_watch: {"scope": "records", "always": true},
  records_redrive: {"scope": "records", "always": false},
  records_remove: {"scope": "records", "always": false},
  records_scan: {"scope": "records", "always": false},
  records_replay: {"scope": "records", "always": false},
  records_status: {"scope": "read", "always": false},
  records_list: {"scope": "read", "always": false},
  records_file: {"scope": "read", "always": false},
};

/** @type {Button[]} */
export const BUTTONS = [
  {"verb": "hold", "beside": "run", "place": 1, "text": "Hold", "title": "start nothing more until Resume", "states": ["open"], "question": "", "says": "", "aborts": false},
  {"verb": "resume", "beside": "run", "place": 2, "text": "Resume", "title": "let the run go on", "states": ["held"], "question": "", "says": "", "aborts": false},
  {"verb": "abort_pending", "beside": "run", "place": 3, "text": "Abort pending", "title": "remove what was not sent yet; what runs goes on", "states": ["open"], "question": "Abort what is pending in {}?", "says": "", "aborts": false},
  {"verb": "abort", "beside": "run", "place": 4, "text": "Abort run", "title": "end the run and what it runs", "states": ["open", "held", "aborting"], "question": "Abort {}?", "says": "", "aborts": true},
  {"verb": "server_stop", "beside": "server", "place": 2, "text": "Stop", "title": "end it when its work is done", "states": ["ON", "SUSPECT", "DRAINING"], "question": "Stop {}?", "says": "It ends when its work is done.", "aborts": false},
  {"verb": "server_quit", "beside": "server", "place": 4, "text": "Quit", "title": "end it at once; what it runs is aborted", "states": ["ON", "SUSPECT", "DRAINING"], "question": "Quit {}?", "says": "", "aborts": true},
];
