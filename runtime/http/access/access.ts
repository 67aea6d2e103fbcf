/**
 * Access to a program, composed: who asks (operator token, client token, person of the identity provider), what he may, and the audit
 * log of it. The same in hub and node.
 */
import { join } from 'node:path'
import type { FastifyInstance, FastifyRequest } from 'fastify'
import type { Kysely } from 'kysely'
import { OPERATOR, type Subject } from '../../../schemas/access/subjects.ts'
import { ExchangeError } from '../../../schemas/errors.ts'
import type { Signer } from '../../../schemas/tokens.ts'
import { type Duties, openDuties } from '../../audit/duties.ts'
import { startHeadSigner } from '../../audit/head-signer.ts'
import { type AuditLog, openAuditLog } from '../../audit/log.ts'
import { type Pseudonyms, readPseudonyms } from '../../audit/pseudonyms.ts'
import { addAuditRoutes } from '../../audit/routes.ts'
import type { AuditTables } from '../../audit/tables.ts'
import { openAuditWitness } from '../../audit/witness.ts'
import { readOperator } from '../operator.ts'
import { openClientRegistry, registerFromFile } from './client-registry.ts'
import { createGuard, type Guard } from './guard.ts'
import { createIdentityProvider, type Person, readIdentityProvider } from './identity-provider.ts'
import { addAccessRoutes } from './routes.ts'
import type { AccessTables } from './tables.ts'
import { issuerOf, peek, startTokenServer } from './token-server.ts'

export type Access = AsyncDisposable & {
  readonly guard: Guard
  readonly audit: AuditLog
  readonly duties: Duties
  readonly pseudonyms: Pseudonyms
  /** of the audit log */
  readonly trouble: () => string | null
  /** token endpoint, register of clients, audit log */
  addRoutes(server: FastifyInstance): void
}

const BEARER = /^Bearer ([A-Za-z0-9._~+/=-]{1,8192})$/

export async function openAccess(options: {
  readonly db: Kysely<AccessTables & AuditTables>
  readonly fed: string
  /** `hub`, or the code of the member */
  readonly program: string
  readonly dataDir: string
  readonly operatorTokenFile: string | undefined
  readonly clientsFile: string | undefined
  readonly identityProviderFile: string | undefined
  readonly auditKeyFile: string | undefined
  readonly signer: Signer
  readonly clock: () => Date
  readonly failed: (error: unknown) => void
}): Promise<Access> {
  const { fed, program, signer, clock, failed } = options
  await using undo = new AsyncDisposableStack()
  const auditDb = options.db.$pickTables<keyof AuditTables>()
  const db = options.db.$pickTables<keyof AccessTables>()
  const operator = await readOperator(options.operatorTokenFile)
  const pseudonyms = await readPseudonyms(options.auditKeyFile ?? join(options.dataDir, 'audit.key'))
  const provider =
    options.identityProviderFile === undefined
      ? null
      : createIdentityProvider(await readIdentityProvider(options.identityProviderFile))
  const clients = openClientRegistry(db)
  if (options.clientsFile !== undefined) await registerFromFile(db, options.clientsFile)
  const tokens = undo.use(await startTokenServer({ db, clients, issuer: issuerOf(fed, program), clock }))
  const audit = undo.use(openAuditLog(auditDb))
  const witness = openAuditWitness(options.dataDir)
  const heads = undo.use(startHeadSigner({ db: auditDb, log: audit, fed, origin: program, signer, witness, clock, failed }))
  const duties = openDuties(auditDb)

  const ofClient = async (token: string): Promise<Subject> => {
    const id = await tokens.clientOf(token)
    const client = await clients.find(id)
    if (client === null)
      throw new ExchangeError('REQUEST_UNAUTHORIZED', 'the client of this access token is registered here no more')
    const { roles, regions, sectors, platforms, perMinute } = client
    return { kind: 'client', id, roles, regions, sectors, platforms, perMinute }
  }

  const ofPerson = ({ subject, roles, regions, sectors, platforms, perMinute }: Person): Subject => ({
    kind: 'person',
    id: pseudonyms.person(subject),
    roles,
    regions,
    sectors,
    platforms,
    perMinute,
  })

  async function authenticate(request: FastifyRequest): Promise<Subject | null> {
    const { authorization } = request.headers
    if (authorization === undefined) return null
    if (operator.is(request)) return OPERATOR
    const token = BEARER.exec(authorization)?.[1]
    if (token === undefined)
      throw new ExchangeError('REQUEST_UNAUTHORIZED', 'expected the header Authorization: Bearer with a token')
    // Who is said to have issued it only chooses by whose keys it is judged.
    const { iss } = peek(token)
    return provider !== null && iss === provider.issuer ? ofPerson(await provider.personOf(token)) : ofClient(token)
  }

  const guard = createGuard({ authenticate, audit, duties, pseudonyms, clock })
  const held = undo.move()
  return {
    guard,
    audit,
    duties,
    pseudonyms,
    trouble: heads.trouble,
    addRoutes(server) {
      addAccessRoutes(server, { db: options.db, clients, tokens, audit, pseudonyms, clock })
      addAuditRoutes(server, { db: auditDb, signer: heads, witness, origin: program })
    },
    [Symbol.asyncDispose]: () => held.disposeAsync(),
  }
}
