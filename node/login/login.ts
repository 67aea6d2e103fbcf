/** The login, composed: the provider and its keys, the page, the check of certificates, and what is told of a login afterwards. */
import { join } from 'node:path'
import { type Kysely, sql } from 'kysely'
import { databaseCheck } from '../../runtime/http/health.ts'
import { listen } from '../../runtime/http/listen.ts'
import type { Logger } from '../../runtime/log.ts'
import { ERRORS, ExchangeError } from '../../schemas/errors.ts'
import { type Accounts, createAccounts } from './accounts.ts'
import { createStateAdapter, purgeLogins } from './adapter.ts'
import { readAssets } from './assets.ts'
import { createChallenges } from './challenges.ts'
import { readLoginClients } from './clients.ts'
import type { HolderCheck } from './holder.ts'
import { areDue, type LoginKeys, openLoginKeys, rotateKeys } from './keys.ts'
import { buildProvider } from './provider.ts'
import { buildLoginServer, type SignedIn } from './server.ts'
import type { LoginTables } from './tables.ts'

export type LoginSettings = {
  readonly dataDir: string
  readonly loginIssuer: string | undefined
  readonly loginClientsFile: string | undefined
  readonly loginSignersDir: string | undefined
  readonly loginHttpHost: string
  readonly loginHttpPort: number
}
export type Login = AsyncDisposable & {
  readonly url: string
  readonly issuer: string
  /** New signing keys now; those before stay published as long as what they signed is good. */
  rotate(): Promise<void>
}

/** Between two looks for what is past its time, and for keys that are due. */
const CARE_MS = 60_000

/** RFC 8414 §2, for plain HTTP on this machine only. @throws CONFIG_INVALID */
export function parseIssuer(text: string): string {
  const url = URL.canParse(text) ? new URL(text) : null
  const loopback = url !== null && (url.hostname === 'localhost' || url.hostname === '[::1]' || url.hostname.startsWith('127.'))
  const safe =
    url !== null && (url.protocol === 'https:' || loopback) && url.search === '' && url.hash === '' && url.username === ''
  if (!safe || text.endsWith('/'))
    throw new ExchangeError(
      'CONFIG_INVALID',
      'the login issuer: expected https:// (http:// on this machine only), without a slash at its end',
    )
  return text
}

/** @throws CONFIG_INVALID, KEY_FILE_INVALID, ADDRESS_UNAVAILABLE */
export async function openLogin(
  settings: LoginSettings,
  options: {
    readonly own: string
    readonly db: Kysely<LoginTables>
    readonly check: HolderCheck
    readonly signedIn: (login: SignedIn) => Promise<void>
    readonly refused: (error: ExchangeError, client: string) => void
    readonly logger: Logger
    readonly clock: () => Date
    readonly failed: (error: unknown) => void
  },
): Promise<Login> {
  const { loginIssuer, loginClientsFile } = settings
  if (loginIssuer === undefined || loginClientsFile === undefined)
    throw new ExchangeError('CONFIG_INVALID', 'a login needs both its issuer and its clients file')
  const { own, db, clock, failed } = options
  const issuer = parseIssuer(loginIssuer)
  const clients = await readLoginClients(loginClientsFile)
  const keyFile = await openLoginKeys(join(settings.dataDir, 'login-keys.json'), clock())
  const assets = await readAssets(issuer, settings.loginSignersDir)
  let keys = await keyFile.read()
  const accounts: Accounts = createAccounts({ db, pseudonymKey: keys.pseudonyms, clock })
  const build = (now: LoginKeys) =>
    buildProvider({
      issuer,
      clients,
      keys: now,
      accounts,
      adapter: kind => createStateAdapter(db, kind, clock),
      showError: code => assets.errorPage({ ...ERRORS.LOGIN_REQUEST_REFUSED, code }),
      failed,
    })
  let provider = build(keys)

  // State is in the database and old keys stay published: a login under way goes on under the new provider.
  async function rotate(): Promise<void> {
    const next = await rotateKeys(keys, clock())
    await keyFile.write(next)
    keys = next
    provider = build(next)
  }

  async function care(): Promise<void> {
    await purgeLogins(db, clock())
    if (areDue(keys, clock())) await rotate()
  }

  const server = await buildLoginServer({
    own,
    issuer,
    logger: options.logger,
    checks: [databaseCheck(() => sql`SELECT 1`.execute(db))],
    provider: () => provider,
    clients: new Map(clients.map(client => [client.id, client])),
    challenges: createChallenges({ db, issuer, clock }),
    accounts,
    assets,
    check: options.check,
    signedIn: options.signedIn,
    refused: options.refused,
    clock,
  })
  const url = await listen(server, { host: settings.loginHttpHost, port: settings.loginHttpPort })
  let caring: Promise<unknown> = care().catch(failed)
  const timer = setInterval(() => {
    caring = caring.then(care).catch(failed)
  }, CARE_MS)
  timer.unref()
  return {
    url,
    issuer,
    rotate,
    async [Symbol.asyncDispose]() {
      clearInterval(timer)
      await server.close()
      await caring
    },
  }
}
