// An authorization server for the tests: npm oidc-provider, an independent
// certified implementation, on a free loopback port. The first line on stdout
// is {"issuer": URL}; each line after it is one thing the server saw, so that a
// test can assert on the server's own record. It ends when stdin is closed,
// and so with the test that started it.
//
// Environment: ACCESS_TOKEN_TTL, DEVICE_CODE_TTL, REFRESH_TOKEN_TTL, in seconds.
import http from 'node:http';
import Provider from 'oidc-provider';

const ttl = (name, otherwise) => Number(process.env[name] || otherwise);
const record = (entry) => process.stdout.write(JSON.stringify(entry) + '\n');

// The library writes its notices with console.info; stdout carries the record.
console.info = console.error;

process.stdin.resume();
process.stdin.on('end', () => process.exit(0));

const server = http.createServer();
server.listen(0, '127.0.0.1', () => {
  const issuer = `http://127.0.0.1:${server.address().port}`;
  const provider = new Provider(issuer, {
    clients: [
      {
        client_id: 'cli',
        client_name: 'usher under test',
        token_endpoint_auth_method: 'none',
        application_type: 'native',
        grant_types: ['urn:ietf:params:oauth:grant-type:device_code', 'refresh_token'],
        // A client of the device grant alone has neither.
        redirect_uris: [],
        response_types: [],
      },
    ],
    features: {
      deviceFlow: { enabled: true },
      devInteractions: { enabled: true },
      revocation: { enabled: true },
      resourceIndicators: { enabled: false },
    },
    scopes: ['openid', 'offline_access', 'email'],
    pkce: { required: () => false },
    rotateRefreshToken: true,
    // Otherwise prompt=consent is needed for a refresh token.
    issueRefreshToken: async () => true,
    ttl: {
      AccessToken: ttl('ACCESS_TOKEN_TTL', 3600),
      DeviceCode: ttl('DEVICE_CODE_TTL', 600),
      RefreshToken: ttl('REFRESH_TOKEN_TTL', 86400),
      Grant: 86400,
      IdToken: 3600,
      Interaction: 600,
      Session: 3600,
    },
  });

  // Values of tokens and codes stay out of the record.
  const grantType = (ctx) => ctx.oidc?.params?.grant_type;
  provider.on('grant.success', (ctx) => record({ event: 'grant.success', grant_type: grantType(ctx) }));
  provider.on('grant.error', (ctx, err) =>
    record({ event: 'grant.error', grant_type: grantType(ctx), error: err.error, detail: err.error_detail }));
  provider.on('grant.revoked', () => record({ event: 'grant.revoked' }));
  provider.on('refresh_token.consumed', () => record({ event: 'refresh_token.consumed' }));
  provider.on('refresh_token.destroyed', () => record({ event: 'refresh_token.destroyed' }));
  provider.on('access_token.destroyed', () => record({ event: 'access_token.destroyed' }));
  provider.on('revocation.error', (ctx, err) => record({ event: 'revocation.error', error: err.error }));
  provider.on('server_error', (ctx, err) => record({ event: 'server_error', error: String(err) }));
  provider.use(async (ctx, next) => {
    await next();
    record({ event: 'request', method: ctx.method, path: ctx.path, status: ctx.status });
  });

  server.on('request', provider.callback());
  record({ issuer });
});
