/** Login with certificates, as a room of the node: the provider where one is configured, and the uses of certificates in any case. */
import type { FastifyInstance } from 'fastify'
import type { Kysely } from 'kysely'
import type { Pseudonyms } from '../../runtime/audit/pseudonyms.ts'
import type { Logger } from '../../runtime/log.ts'
import type { ExchangeError } from '../../schemas/errors.ts'
import type { CertificateUseKind } from '../../schemas/login/scopes.ts'
import type { Membership } from '../../schemas/membership.ts'
import type { PurposeName } from '../../schemas/trust/purposes.ts'
import type { Sealer } from '../ledger/sealer.ts'
import type { NodeTables } from '../tables.ts'
import type { Certificates } from '../trust/certificates.ts'
import { createHolderCheck } from './certificate-check.ts'
import type { Login, LoginSettings } from './login.ts'
import { addLoginRoutes } from './routes.ts'
import type { LoginTables } from './tables.ts'
import { startTelling, type Telling } from './telling.ts'
import { createUses } from './uses.ts'

export type LoginEvents = {
  /** somebody logged in at a client; who is in no log line */
  loggedIn(client: string): void
  loginRefused(client: string, code: string, reason: string | null): void
  /** the certificate of somebody on the watch list was used */
  watchedUse(use: CertificateUseKind): void
  usesTold(home: string, count: number): void
  /** uses that their home cannot be told of yet, and why */
  usesWaiting(home: string, code: string): void
}
export type LoginRoom = AsyncDisposable & {
  /** null where none is configured */
  readonly login: Pick<Login, 'url' | 'issuer'> | null
  addRoutes(server: FastifyInstance): void
}

/** What a certificate has to be good for, by how it was used. */
const PURPOSE_OF: { readonly [use in CertificateUseKind]: PurposeName } = { 'sign-in': 'login', unlock: 'encrypt', sign: 'sign' }

const reasonOf = ({ detail }: ExchangeError): string | null => (typeof detail.reason === 'string' ? detail.reason : null)

export async function openLoginRoom(
  settings: LoginSettings,
  options: {
    readonly db: Kysely<NodeTables>
    readonly own: string
    readonly membership: () => Membership
    readonly sealer: Pick<Sealer, 'submit'>
    readonly certificates: Pick<Certificates, 'verify'>
    readonly pseudonyms: Pseudonyms
    readonly events: LoginEvents & { failed(origin: string, error: unknown): void }
    readonly logger: Logger
    readonly clock: () => Date
  },
): Promise<LoginRoom> {
  const { own, membership, sealer, certificates, pseudonyms, events, logger, clock } = options
  await using undo = new AsyncDisposableStack()
  const db = options.db.$pickTables<keyof LoginTables>()
  const failed = (error: unknown): void => events.failed(own, error)
  const telling: Telling = undo.use(
    startTelling({ db, own, sealer, membership, clock, told: events.usesTold, waiting: events.usesWaiting, failed }),
  )
  const uses = createUses({ db, own, membership, pseudonyms, watched: events.watchedUse, due: telling.wake })
  const checkFor = (use: CertificateUseKind) => createHolderCheck(certificates, PURPOSE_OF[use])
  const isConfigured = settings.loginIssuer !== undefined || settings.loginClientsFile !== undefined
  // The provider is some megabytes of code: who has no login does not load it.
  const open = isConfigured ? (await import('./login.ts')).openLogin : null
  const login = await open?.(settings, {
    own,
    db,
    check: checkFor('sign-in'),
    async signedIn({ client, verdict, der, at }) {
      await uses.note({ use: 'sign-in', verdict, der, system: client.id, at })
      events.loggedIn(client.id)
    },
    refused: (error, client) => events.loginRefused(client, error.code, reasonOf(error)),
    logger,
    clock,
    failed,
  })
  if (login !== undefined) {
    undo.use(login)
    logger.info({ url: login.url, issuer: login.issuer }, 'certificate login is open')
  }
  const held = undo.move()
  return {
    login: login ?? null,
    addRoutes: server => addLoginRoutes(server, { db: options.db, own, uses, checkFor, rotate: login?.rotate ?? null, clock }),
    [Symbol.asyncDispose]: () => held.disposeAsync(),
  }
}
