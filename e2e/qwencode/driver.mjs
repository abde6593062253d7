// Runs qwen-code's own reader and refresher of its credential file, as they
// were published, on behalf of a test: one JSON object per line on standard
// input, {id, do}, is one call and is answered by a line {id, value} or
// {id, error}. Calls run side by side.
//
// Only where the tool sends its requests is changed, by QWEN_ISSUER; the lock,
// the cache and the handlers of signals are its own. {attempt} tells of each try
// to take the lock.
import { promises, readFileSync, readdirSync } from 'node:fs';
import { createInterface } from 'node:readline';

const chunks = new URL('node_modules/@qwen-code/qwen-code/chunks/', import.meta.url);
const holds = (name) => readFileSync(new URL(name, chunks), 'utf8').includes('class _SharedTokenManager');
const found = readdirSync(chunks).filter((name) => name.endsWith('.js') && holds(name));
if (found.length !== 1) throw new Error(`the token manager is in ${found.length} files of qwen-code`);
const { SharedTokenManager, QwenOAuth2Client, clearQwenCredentials } = await import(new URL(found[0], chunks));

const say = (line) => process.stdout.write(JSON.stringify(line) + '\n');

const manager = SharedTokenManager.getInstance();
const client = new QwenOAuth2Client();
const { fetch } = globalThis;
globalThis.fetch = (url, options) => fetch(String(url).replace('https://chat.qwen.ai', process.env.QWEN_ISSUER), options);

// Each try to take the lock is told, before its outcome is known to the tool.
let attempts = 0;
const { writeFile } = promises;
promises.writeFile = async (path, data, options) => {
  try {
    return await writeFile(path, data, options);
  } finally {
    if (options?.flag === 'wx') say({ attempt: ++attempts });
  }
};

const shown = (credentials) => credentials && { ...credentials };

const calls = {
  // judge reads the file as a process of the tool does that has just started,
  // and returns what it takes from it: null for a file that it rejects.
  async judge() {
    manager.clearCache();
    await manager.checkAndReloadIfNeeded(client);
    return shown(manager.getCurrentCredentials());
  },
  // valid returns valid credentials as the tool gets them before each call of
  // its API, refreshing them where it thinks that is due.
  valid: async () => shown(await manager.getValidCredentials(client)),
  // renew is what the tool does when its API answers 401.
  renew: async () => shown(await manager.getValidCredentials(client, true)),
  // wipe is what the tool does when a server refuses its refresh token.
  wipe: () => clearQwenCredentials(),
};

say({ ready: process.pid });
for await (const line of createInterface({ input: process.stdin })) {
  const { id, do: name } = JSON.parse(line);
  (async () => calls[name]())().then(
    (value) => say({ id, value }),
    (err) => say({ id, error: `${err.type ?? err.name}: ${err.message}` }),
  );
}
// The tool's handlers would keep a process alive that nobody talks to.
process.exit(0);
