/**
 * The tabs, in the order in which they stand; the key of each is its number.
 *
 * A further one is a file in tabs/, or a folder of its own, and a line here.
 */

import { Tab } from './view/tab.js';
import { TabAlarms } from './alarms/tab.js';
import { TabFleet } from './fleet/tab.js';
import { TabQueue } from './queue/tab.js';
import { TabData } from './records/tab.js';
import { TabActions } from './actions/tab.js';
import { TabShots } from './shots/tab.js';
import { TabAudit } from './tabs/audit.js';
import { TabLog } from './tabs/log.js';
import { TabLogins } from './tabs/logins.js';
import { TabTimeline } from './timeline/tab.js';

/** @type {(typeof Tab)[]} */
export const TABS = [TabActions, TabTimeline, TabQueue, TabFleet, TabData, TabShots, TabLog, TabAlarms, TabAudit, TabLogins];

for (const tab of TABS) customElements.define(`tab-${tab.id}`, tab);
