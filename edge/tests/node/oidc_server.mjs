// An authorization server: `oidc_server.mjs PORT`. Clients `e2e` and `other`, secret `secret`, client
// credentials only; a token is a JWT for whatever resource is asked for, with the scopes asked for out of `mcp`
// and `mcp:search`, signed with a key that is another one in every process. Prints `listening on PORT`
// once it accepts.
import { generateKeyPairSync, randomUUID } from 'node:crypto';
import Provider from 'oidc-provider';

const port = Number(process.argv[2]);
const scope = 'mcp mcp:search mcp:call mcp:read';
const { privateKey } = generateKeyPairSync('rsa', { modulusLength: 2048 });
const key = { ...privateKey.export({ format: 'jwk' }), kid: randomUUID(), use: 'sig', alg: 'RS256' };
const provider = new Provider(`http://127.0.0.1:${port}`, {
  jwks: { keys: [key] },
  clients: ['e2e', 'other'].map((client_id) => ({
    client_id,
    client_secret: 'secret',
    grant_types: ['client_credentials'],
    redirect_uris: [],
    response_types: [],
  })),
  scopes: scope.split(' '),
  features: {
    clientCredentials: { enabled: true },
    devInteractions: { enabled: false },
    resourceIndicators: {
      enabled: true,
      getResourceServerInfo: (_ctx, resource) => ({
        scope,
        audience: resource,
        accessTokenFormat: 'jwt',
        accessTokenTTL: 300,
      }),
    },
  },
});
provider.listen(port, '127.0.0.1', () => console.log('listening on', port));
