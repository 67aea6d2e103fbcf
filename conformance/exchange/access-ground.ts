/** What tests of access ask: whatever is said to a program over HTTP, and one question for every operation that a program offers. */
import type { Resource } from '../../schemas/access/decision.ts'
import type { OperationName } from '../../schemas/access/operations.ts'
import type { RoleName } from '../../schemas/access/roles.ts'
import type { Subject } from '../../schemas/access/subjects.ts'
import type { Testbed } from './testbed.ts'

export const NODE = '530000'

export type Answer = {
  readonly status: number
  readonly code: string | null
  readonly body: { readonly [name: string]: unknown }
}
export type AccessGround = {
  ask(program: string, token: string | null, method: string, path: string, body?: unknown, type?: string): Promise<Answer>
  /** a signed assertion for an access token */
  exchange(program: string, assertion: string): Promise<Pick<Answer, 'status' | 'body'>>
}

/** `bed` may be started later than this is called. */
export function accessGround(bed: () => Testbed): AccessGround {
  const urlOf = (program: string): string => (program === 'hub' ? bed().hub.url : bed().node(program).url)
  return {
    async ask(program, token, method, path, body, type) {
      const response = await fetch(`${urlOf(program)}${path}`, {
        method,
        headers: {
          ...(token === null ? {} : { authorization: `Bearer ${token}` }),
          ...(body === undefined ? {} : { 'content-type': type ?? 'application/json' }),
        },
        ...(body === undefined ? {} : { body: typeof body === 'string' ? body : JSON.stringify(body) }),
      })
      const text = await response.text()
      const value = text.startsWith('{') ? JSON.parse(text.split('\n')[0] ?? '') : {}
      return { status: response.status, code: value.code ?? null, body: value }
    },
    async exchange(program, assertion) {
      const response = await fetch(`${urlOf(program)}/oauth/token`, {
        method: 'POST',
        body: new URLSearchParams({
          grant_type: 'client_credentials',
          client_assertion_type: 'urn:ietf:params:oauth:client-assertion-type:jwt-bearer',
          client_assertion: assertion,
        }),
      })
      return { status: response.status, body: (await response.json()) as Answer['body'] }
    },
  }
}

export type Probe = {
  readonly operation: OperationName
  readonly at: string
  readonly resource?: Resource
  readonly call: readonly [string, string, unknown?, string?]
}
const get = (operation: OperationName, at: string, path: string, resource?: Resource): Probe => ({
  operation,
  at,
  call: ['GET', path],
  ...(resource === undefined ? {} : { resource }),
})
const LOG = `/v1/logs/${NODE}/entity/all/envelopes`
/** Each operation at each program that offers it, and what it is decided on. */
export const PROBES: readonly Probe[] = [
  ...['entity', 'trust', 'credit', 'expert', 'trade', 'indicator', 'supervision'].flatMap(dataset => [
    get('record.read', NODE, `/v1/${dataset}?limit=1`, { dataset }),
    get('record.read', NODE, `/v1/${dataset}/k`, { dataset }),
  ]),
  get('statistics.read', NODE, '/v1/statistics/trades'),
  get('statistics.read', NODE, '/v1/statistics/logins'),
  get('trust.read', NODE, '/v1/trust-lists'),
  get('certificate.read', NODE, `/v1/certificates/${'0'.repeat(64)}`),
  { operation: 'certificate.verify', at: NODE, call: ['POST', '/v1/certificates/verify', { certificate: 'AAAA' }] },
  { operation: 'signature.verify', at: NODE, call: ['POST', '/v1/signatures/verify', { kind: 'cms', signature: 'AAAA' }] },
  { operation: 'certificate.import', at: NODE, call: ['POST', '/v1/revocation-lists'] },
  { operation: 'trust.publish', at: NODE, call: ['POST', '/v1/trust-lists', { TrustedEntitiesList: [], days: 0 }] },
  get('certificate-use.read', NODE, '/v1/certificate-uses'),
  get('watch.read', NODE, '/v1/watch-list'),
  { operation: 'certificate-use.report', at: NODE, call: ['POST', '/v1/certificate-uses', { use: 'sign', certificate: 'AAAA' }] },
  { operation: 'watch.change', at: NODE, call: ['POST', '/v1/watch-list/removal', { watch: `watch/${'x'.repeat(27)}` }] },
  { operation: 'watch.change', at: NODE, call: ['POST', '/v1/watch-list', { uscc: '0'.repeat(18), reason: 'penalty' }] },
  { operation: 'login.rotate', at: NODE, call: ['POST', '/v1/login/keys'] },
  ...[NODE, 'hub'].flatMap(
    at =>
      [
        get('ledger.read', at, '/v1/logs'),
        get('proof.read', at, '/v1/forks'),
        get('envelope.read', at, LOG, { dataset: 'entity' }),
        get('envelope.read', at, `${LOG}/1/1`, { dataset: 'entity' }),
        get('envelope.read', at, LOG.replace('envelopes', 'redactions'), { dataset: 'entity' }),
        get('quarantine.read', at, '/v1/quarantine'),
        get('client.read', at, '/v1/access/clients'),
        get('audit.read', at, '/v1/audit?limit=1'),
        { operation: 'quarantine.release', at, call: ['POST', '/v1/quarantine/release', { ids: [999_999] }] },
        { operation: 'ledger.verify', at, call: ['POST', '/v1/ledger/verification'] },
        { operation: 'bundle.import', at, call: ['POST', '/v1/bundles', 'x', 'application/vnd.hutong.bundle'] },
        { operation: 'client.add', at, call: ['PUT', '/v1/access/clients/nobody', {}] },
        { operation: 'client.remove', at, call: ['DELETE', '/v1/access/clients/nobody'] },
      ] satisfies Probe[],
  ),
  get('member.read', 'hub', '/v1/members'),
  { operation: 'ledger.reopen', at: NODE, call: ['POST', '/v1/ledger/reopening', { dataset: 'entity' }] },
  { operation: 'mapping.add', at: NODE, call: ['POST', '/v1/mappings', 'x: [', 'application/yaml'] },
  { operation: 'record.ingest', at: NODE, call: ['POST', '/v1/ingest/none', '', 'application/octet-stream'] },
  {
    operation: 'record.erase',
    at: NODE,
    resource: { dataset: 'entity' },
    call: ['POST', '/v1/redactions', { dataset: 'entity', key: 'never', why: 'ordered' }],
  },
]
export const refusedForAccess = ({ status, code }: Answer): boolean =>
  status === 401 || (status === 403 && code?.startsWith('ACCESS_') === true)
/** somebody with one role and no bounds */
export const subjectOf = (role: RoleName): Subject => ({
  kind: 'client',
  id: role,
  roles: [role],
  regions: null,
  sectors: null,
  platforms: [],
  perMinute: 1,
})
