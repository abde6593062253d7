// Drives the published TypeScript client on behalf of a test: one JSON object
// per line on standard input, {id, do, ...}, is one call of the client, and is
// answered by a line {id, value} or {id, error}. Calls run side by side, so that
// a test can restart the daemon while one waits. Every frame of a stream comes
// as {frame, state}, with the state that the client's own reducer came to.
//
// The client is used as it is, with its default transport. What it requests is
// seen from the outside, by the events of Node's own fetch.
import diagnostics from 'node:diagnostics_channel';
import { createInterface } from 'node:readline';
import { DaemonClient, DaemonSessionClient, createDaemonAuthState, reduceDaemonAuthEvent } from '@qwen-code/sdk/daemon';

const clients = new Map(); // name -> DaemonClient
const flows = new Map(); // name -> handle of a started flow
const streams = new Map(); // name -> {session, controller, state}
let requests = [];
let answered = 0; // of them

diagnostics.channel('undici:request:create').subscribe(({ request }) => {
  requests.push({ method: request.method, path: request.path, at: Date.now() });
});
diagnostics.channel('undici:request:trailers').subscribe(() => answered++);

const say = (line) => process.stdout.write(JSON.stringify(line) + '\n');

// handle is what a started flow shows of itself.
const handle = ({ awaitCompletion, cancel, ...shown }) => shown;

// follow hands out what a session says from now on. The state goes on over an
// interruption, as that of an application does.
async function follow(name) {
  const stream = streams.get(name);
  stream.controller = new AbortController();
  const { signal } = stream.controller;
  let end = 'ended';
  try {
    for await (const frame of stream.session.events({ signal })) {
      stream.state = reduceDaemonAuthEvent(stream.state, frame);
      say({ stream: name, frame, state: stream.state });
    }
  } catch (err) {
    end = 'broken';
  }
  say({ stream: name, end: signal.aborted ? 'aborted' : end });
}

const calls = {
  construct({ name, baseUrl, token }) {
    clients.set(name, new DaemonClient({ baseUrl, token }));
  },
  // requests returns what the clients have requested since the last time.
  requests() {
    const seen = requests;
    requests = [];
    answered = 0;
    return seen;
  },
  answered: () => ({ answered }),
  health: ({ client }) => clients.get(client).health(),
  capabilities: ({ client }) => clients.get(client).capabilities(),
  authStatus: ({ client }) => clients.get(client).getAuthStatus(),
  async start({ client, flow, providerId, clientId }) {
    flows.set(flow, await clients.get(client).auth.start({ providerId, clientId }));
    return handle(flows.get(flow));
  },
  status: ({ client, deviceFlowId, clientId }) => clients.get(client).auth.status(deviceFlowId, { clientId }),
  getDeviceFlow: ({ client, deviceFlowId, clientId }) => clients.get(client).getDeviceFlow(deviceFlowId, { clientId }),
  async awaitCompletion({ flow, options }) {
    const throttled = [];
    const result = await flows.get(flow).awaitCompletion({ ...options, onThrottled: (ms) => throttled.push(ms) });
    return { result, throttled };
  },
  cancel: ({ flow }) => flows.get(flow).cancel(),
  cancelById: ({ client, deviceFlowId, clientId }) => clients.get(client).auth.cancel(deviceFlowId, { clientId }),
  // session opens a session and follows its events from the first one.
  async session({ client, name, workspaceCwd }) {
    const session = await DaemonSessionClient.createOrAttach(clients.get(client), { workspaceCwd });
    streams.set(name, { session, state: createDaemonAuthState() });
    follow(name);
    return { ...session.session };
  },
  // resume follows the events of a session anew, from where it stood.
  resume({ name }) {
    const { session } = streams.get(name);
    const at = { lastEventId: session.lastEventId };
    follow(name);
    return at;
  },
  heartbeat: ({ name }) => streams.get(name).session.heartbeat(),
  detach: ({ name }) => streams.get(name).session.detach(),
  leave({ name }) {
    streams.get(name).controller.abort();
  },
  close: ({ name }) => streams.get(name).session.close(),
};

const plain = (err) => ({ name: err.name, message: err.message, status: err.status, body: err.body });

for await (const line of createInterface({ input: process.stdin })) {
  const { id, do: call, ...args } = JSON.parse(line);
  Promise.resolve()
    .then(() => calls[call](args))
    .then((value) => say({ id, value }))
    .catch((err) => say({ id, error: plain(err) }));
}
process.exit(0);
