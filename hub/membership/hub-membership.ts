/** Where the hub's membership comes from: its own log, from the founding on, or a configured file that never changes. */
import { join } from 'node:path'
import type { Kysely } from 'kysely'
import { readPassphrase } from '../../runtime/keys/key-file.ts'
import type { LedgerTables } from '../../runtime/ledger/tables.ts'
import { readFounding } from '../../runtime/membership/founding.ts'
import {
  fixedMembership,
  type MembershipEvents,
  type MembershipKeeper,
  type MembershipSource,
  openMembershipKeeper,
  readMembershipFile,
} from '../../runtime/membership/keeper.ts'
import { type Keyring, openKeyring } from '../../runtime/membership/keyring.ts'
import type { MembershipTables } from '../../runtime/membership/tables.ts'
import { ExchangeError } from '../../schemas/errors.ts'
import type { Signer } from '../../schemas/tokens.ts'
import type { HubConfig } from '../config.ts'

export type HubMembership = {
  readonly fed: string
  readonly source: MembershipSource
  readonly keyring: Keyring
  signer(): Signer
  /** null for a configured file */
  readonly keeper: MembershipKeeper | null
}

/** @throws CONFIG_INVALID, MEMBERSHIP_FILE_INVALID, KEY_FILE_INVALID, and what a founding that is none is refused with */
export async function openHubMembership(
  config: HubConfig,
  db: Kysely<LedgerTables & MembershipTables>,
  events: MembershipEvents,
): Promise<HubMembership> {
  const { membershipFile, foundingFile, keyFile } = config
  if ((membershipFile === undefined) === (foundingFile === undefined))
    throw new ExchangeError('CONFIG_INVALID', 'expected either a founding entry (hutong hub found) or a membership file')
  const passphrase = await readPassphrase(config.keyPassphraseFile)
  const keyring = await openKeyring({ folder: join(config.dataDir, 'keys'), file: keyFile, passphrase })
  const { fed, source, keeper } =
    foundingFile === undefined ? await fromFile(membershipFile ?? '') : await fromFounding(foundingFile, db, events)
  const signer = (): Signer => keyring.active(source.membership().hubKeys)
  try {
    signer()
  } catch (cause) {
    throw new ExchangeError('KEY_FILE_INVALID', `${keyFile}: its key is not the hub's in this membership`, { cause })
  }
  return { fed, source, keeper, keyring, signer }
}

async function fromFounding(path: string, db: Kysely<LedgerTables & MembershipTables>, events: MembershipEvents) {
  const { fed, anchor, token } = await readFounding(path)
  const keeper = await openMembershipKeeper({ db, fed, anchor, first: [token], events })
  if (keeper.state().tokens[0] !== token)
    throw new ExchangeError('CONFIG_INVALID', `${path}: the database holds a federation that was founded by another entry`)
  return { fed, source: keeper, keeper }
}

async function fromFile(path: string) {
  const membership = await readMembershipFile(path)
  return { fed: membership.fed, source: fixedMembership(membership), keeper: null }
}
