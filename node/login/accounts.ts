/**
 * Who has logged in, for one login at one client: what the client may learn, and under which `sub`. An organisation is its code. A
 * person is a pseudonym made for the client's sector, so that two systems cannot find out that they have the same person
 * (OpenID Connect Core 1.0 §8.1). The row goes when the login's tokens are good for nothing.
 */
import { createHmac, randomUUID } from 'node:crypto'
import type { Kysely } from 'kysely'
import { digestOf } from '../../schemas/digest.ts'
import { LOGIN_ACR } from '../../schemas/login/scopes.ts'
import type { LoginClient } from './clients.ts'
import type { GoodCertificate, Holder } from './holder.ts'
import type { LoginTables } from './tables.ts'

export type Account = {
  readonly sub: string
  readonly claims: { readonly [name: string]: string }
}
export type Accounts = {
  /** Answers the account's identifier, which names nobody. */
  open(client: LoginClient, verdict: GoodCertificate, der: Uint8Array): Promise<string>
  find(id: string): Promise<Account | null>
}

/** Longer than an interaction, a code and the tokens of one login together. */
const ACCOUNT_SECONDS = 1800

/** OpenID Connect Core 1.0 §8.1: of a person one for each sector. */
export const subjectOf = (holder: Holder, sector: string, key: string): string => {
  if (holder.kind === 'organisation') return holder.uscc ?? holder.id
  const hash = createHmac('sha256', Buffer.from(key, 'base64url')).update(JSON.stringify(['login-sub', sector, holder.id]))
  return `p-${hash.digest('base64url')}`
}

export const claimsOf = ({ holder, ca, region }: GoodCertificate, der: Uint8Array): Account['claims'] => ({
  acr: LOGIN_ACR,
  holder_kind: holder.kind,
  ...(holder.uscc === null ? {} : { uscc: holder.uscc }),
  ...(holder.name === null ? {} : { organisation_name: holder.name }),
  ca_name: ca.name,
  // A person's certificate is the same everywhere: its digest would undo the pseudonym.
  ...(holder.kind === 'organisation' ? { certificate_digest: digestOf(der) } : {}),
  ...(region === null ? {} : { province: `${region.slice(0, 2)}0000` }),
})

export function createAccounts(options: {
  readonly db: Kysely<LoginTables>
  readonly pseudonymKey: string
  readonly clock: () => Date
}): Accounts {
  const { db, pseudonymKey, clock } = options
  return {
    async open(client, verdict, der) {
      const id = randomUUID()
      const sub = subjectOf(verdict.holder, client.sector, pseudonymKey)
      const claims = JSON.stringify(claimsOf(verdict, der))
      const expires = new Date(clock().getTime() + ACCOUNT_SECONDS * 1000)
      await db.insertInto('login_account').values({ id, client: client.id, sub, claims, expires_at: expires }).execute()
      return id
    },
    async find(id) {
      const row = await db
        .selectFrom('login_account')
        .select(['sub', 'claims'])
        .where('id', '=', id)
        .where('expires_at', '>', clock())
        .executeTakeFirst()
      return row === undefined ? null : { sub: row.sub, claims: JSON.parse(row.claims) as Account['claims'] }
    },
  }
}
