// Reads events as JSON, one per line, and writes the state that the published
// client's reducer comes to after each. An empty line begins with a new state.
// What is no event at all leaves the state as it is, as the client's own parser
// of streams drops it.
import { createInterface } from 'node:readline';
import { createDaemonAuthState, reduceDaemonAuthEvent } from '@qwen-code/sdk/daemon';

let state = createDaemonAuthState();
const out = [];
for await (const line of createInterface({ input: process.stdin })) {
  if (line === '') {
    state = createDaemonAuthState();
    continue;
  }
  state = reduceDaemonAuthEvent(state, JSON.parse(line));
  out.push(JSON.stringify(state));
}
process.stdout.write(out.map((text) => text + '\n').join(''));
