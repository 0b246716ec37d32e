/**
 * The buttons for commands beside runs and servers, in their order there. Made from the commands:
 * `make schema` writes it anew.
 */

/**
 * @typedef {object} Button
 * @property {string} verb
 * @property {string} scope who may do what is of it may press it
 * @property {boolean} always also where another has the control
 * @property {'run'|'server'} beside
 * @property {number} place among the buttons there
 * @property {string} text
 * @property {string} title
 * @property {string[]} states in which it can be pressed
 * @property {string} question is asked first, of the target `{}`; '': nothing is
 * @property {string} says with the question
 * @property {boolean} aborts what is running there, which is listed
 */

/** @type {Button[]} */
export const BUTTONS = [
  {"verb": "hold", "scope": "command", "always": true, "beside": "run", "place": 1, "text": "Hold", "title": "start nothing more until Resume", "states": ["open"], "question": "", "says": "", "aborts": false},
  {"verb": "resume", "scope": "command", "always": false, "beside": "run", "place": 2, "text": "Resume", "title": "let the run go on", "states": ["held"], "question": "", "says": "", "aborts": false},
  {"verb": "abort_pending", "scope": "command", "always": true, "beside": "run", "place": 3, "text": "Abort pending", "title": "remove what was not sent yet; what runs goes on", "states": ["open"], "question": "Abort what is pending in {}?", "says": "", "aborts": false},
  {"verb": "abort", "scope": "command", "always": true, "beside": "run", "place": 4, "text": "Abort run", "title": "end the run and what it runs", "states": ["open", "held", "aborting"], "question": "Abort {}?", "says": "", "aborts": true},
  {"verb": "server_stop", "scope": "servers", "always": false, "beside": "server", "place": 2, "text": "Stop", "title": "end it when its work is done", "states": ["ON", "SUSPECT", "DRAINING"], "question": "Stop {}?", "says": "It ends when its work is done.", "aborts": false},
  {"verb": "server_quit", "scope": "servers", "always": false, "beside": "server", "place": 4, "text": "Quit", "title": "end it at once; what it runs is aborted", "states": ["ON", "SUSPECT", "DRAINING"], "question": "Quit {}?", "says": "", "aborts": true},
];
