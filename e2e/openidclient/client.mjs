// npm openid-client, an independent certified client, against the server whose
// issuer is the argument: the code flow with PKCE, the id token's signature,
// userinfo, refresh, revocation, and the device grant. It prints one line of
// JSON per step that succeeded and, for the steps that must be refused, the
// error code. Any other failure ends it with exit code 1.
import * as client from 'openid-client';

const issuer = process.argv[2];
const redirectURI = 'http://127.0.0.1:41999/callback';
const print = (entry) => process.stdout.write(JSON.stringify(entry) + '\n');

const config = await client.discovery(new URL(issuer), 'foreign-client', undefined, client.None(), {
  execute: [client.allowInsecureRequests], // the server is on loopback
});
client.enableNonRepudiationChecks(config); // verify the id token's signature
print({ step: 'discovery', issuer: config.serverMetadata().issuer });

// authorize asks for a code and returns the redirect that carries it; the
// server approves at once, so there is no page to click through.
async function authorize(verifier, state, nonce) {
  const to = client.buildAuthorizationUrl(config, {
    redirect_uri: redirectURI,
    scope: 'openid offline_access',
    code_challenge: await client.calculatePKCECodeChallenge(verifier),
    code_challenge_method: 'S256',
    state,
    nonce,
  });
  const answer = await fetch(to, { redirect: 'manual' });
  const location = answer.headers.get('location');
  if (!location) throw new Error(`authorize answered ${answer.status}: ${await answer.text()}`);
  return new URL(location, to);
}

async function exchange(verifier, asked) {
  const state = client.randomState();
  const nonce = client.randomNonce();
  return client.authorizationCodeGrant(config, await authorize(asked, state, nonce), {
    pkceCodeVerifier: verifier,
    expectedState: state,
    expectedNonce: nonce,
  });
}

async function refused(step, attempt) {
  try {
    await attempt();
  } catch (err) {
    print({ step, error: err.error ?? String(err) });
    return;
  }
  throw new Error(`${step}: the server accepted it`);
}

const verifier = client.randomPKCECodeVerifier();
const tokens = await exchange(verifier, verifier);
const subject = tokens.claims().sub;
print({ step: 'code', subject });

await refused('wrong verifier', () => exchange(client.randomPKCECodeVerifier(), client.randomPKCECodeVerifier()));

const info = await client.fetchUserInfo(config, tokens.access_token, subject);
print({ step: 'userinfo', subject: info.sub });

const next = await client.refreshTokenGrant(config, tokens.refresh_token);
print({ step: 'refresh', rotated: next.refresh_token !== tokens.refresh_token });

await client.tokenRevocation(config, next.refresh_token, { token_type_hint: 'refresh_token' });
await refused('revoked', () => client.refreshTokenGrant(config, next.refresh_token));

const device = await client.initiateDeviceAuthorization(config, { scope: 'openid offline_access' });
const polled = await client.pollDeviceAuthorizationGrant(config, device);
print({ step: 'device', token_type: polled.token_type });
