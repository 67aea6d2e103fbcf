/** Where a node's membership comes from: the folder that joining left it, or a configured file that never changes. */
import { readFile } from 'node:fs/promises'
import { join } from 'node:path'
import type { Kysely } from 'kysely'
import { type EncKeys, openEncKeys } from '../../runtime/keys/enc-keys.ts'
import { readPassphrase } from '../../runtime/keys/key-file.ts'
import type { LedgerTables } from '../../runtime/ledger/tables.ts'
import {
  fixedMembership,
  type MembershipEvents,
  type MembershipKeeper,
  type MembershipSource,
  openMembershipKeeper,
  readMembershipFile,
} from '../../runtime/membership/keeper.ts'
import { type Keyring, openKeyring } from '../../runtime/membership/keyring.ts'
import { placesIn, readMemberFolder } from '../../runtime/membership/member-folder.ts'
import type { MembershipTables } from '../../runtime/membership/tables.ts'
import { ExchangeError } from '../../schemas/errors.ts'
import { memberOf } from '../../schemas/membership.ts'
import type { Signer } from '../../schemas/tokens.ts'
import type { NodeConfig } from '../config.ts'
import { type OwnStatements, openOwnStatements } from './own-statements.ts'
import type { OwnMembershipTables } from './tables.ts'

export type OwnMembership = {
  readonly fed: string
  readonly source: MembershipSource
  readonly keyring: Keyring
  /** what opens the content keys of restricted audiences */
  readonly encKeys: EncKeys
  /** the key that signs now: asked in the same breath as the membership position */
  signer(): Signer
  readonly brokerCredentialsFile: string | undefined
  readonly brokerCaFile: string | undefined
  /** null for a configured file */
  readonly log: {
    readonly keeper: MembershipKeeper
    readonly statements: OwnStatements
    readonly hubUrl: string
    readonly anchor: string
  } | null
}

type Tables = LedgerTables & MembershipTables & OwnMembershipTables

/** @throws CONFIG_INVALID, MEMBERSHIP_FILE_INVALID, KEY_FILE_INVALID, MEMBERSHIP_UNTRUSTED */
export async function openOwnMembership(config: NodeConfig, db: Kysely<Tables>, events: MembershipEvents): Promise<OwnMembership> {
  const { code: own, membershipFile, membershipDir } = config
  const passphrase = await readPassphrase(config.keyPassphraseFile)
  if ((membershipFile === undefined) === (membershipDir === undefined))
    throw new ExchangeError('CONFIG_INVALID', 'expected either a folder of membership (hutong node join) or a membership file')
  const { brokerCredentialsFile, brokerCaFile } = config
  if (membershipDir !== undefined) {
    const folder = await readMemberFolder(membershipDir)
    if (folder.code !== own)
      throw new ExchangeError('CONFIG_INVALID', `${membershipDir}: it is ${folder.code}'s, expected ${own}'s`)
    const places = placesIn(membershipDir)
    const { keyFile, signingAgentSocket: agentSocket } = config
    const keyring = await openKeyring({ folder: places.keys, file: keyFile, agentSocket, passphrase })
    const statements = openOwnStatements(db.$pickTables<keyof OwnMembershipTables>())
    await statements.note('join', folder.join)
    const { fed, anchor, entries, hub: hubUrl } = folder
    const log = db.$pickTables<keyof LedgerTables | keyof MembershipTables>()
    const keeper = await openMembershipKeeper({ db: log, fed, anchor, first: entries, events })
    return {
      fed,
      source: keeper,
      keyring,
      encKeys: await openEncKeys(places.enc),
      signer: () => keyring.active(memberOf(keeper.membership(), own).keys),
      brokerCredentialsFile: brokerCredentialsFile ?? places.broker,
      brokerCaFile: brokerCaFile ?? (await optional(places.brokerCa)),
      log: { keeper, statements, hubUrl, anchor },
    }
  }
  const path = membershipFile ?? ''
  const membership = await readMembershipFile(path)
  const { keys } = memberOf(membership, own)
  if (config.keyFile === undefined) throw new ExchangeError('CONFIG_INVALID', 'expected a key file beside the membership file')
  const keyring = await openKeyring({ folder: join(config.dataDir, 'keys'), file: config.keyFile, passphrase })
  if (!keys.some(({ kid }) => keyring.named(kid) !== null))
    throw new ExchangeError('KEY_FILE_INVALID', `${config.keyFile}: its key is not one of ${own} in ${path}`)
  const signer = keyring.active(keys)
  return {
    fed: membership.fed,
    source: fixedMembership(membership),
    keyring,
    encKeys: await openEncKeys(join(config.dataDir, 'enc')),
    signer: () => signer,
    brokerCredentialsFile,
    brokerCaFile,
    log: null,
  }
}

const optional = (path: string): Promise<string | undefined> =>
  readFile(path).then(
    () => path,
    () => undefined,
  )
