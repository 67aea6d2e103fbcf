/**
 * What lets the programs of a federation on one machine meet at a broker: the hub's authority over its accounts, a key and token for
 * each program, the certificate that the broker shows. Founded once and found again, like the other secrets.
 */
import { access, readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { type BrokerMember, brokerMembers } from '../../runtime/broker/accounts.ts'
import { type AccountClaim, type Authority, foundAuthority, openAuthority } from '../../runtime/broker/authority.ts'
import { type BrokerTrust, trustConfiguration } from '../../runtime/broker/configuration.ts'
import { acceptToken, prepareCredentials } from '../../runtime/broker/credentials.ts'
import { keepTlsFiles, type TlsFiles } from '../../runtime/broker/tls-files.ts'
import { isExchangeError } from '../../schemas/errors.ts'
import { parseMembership } from '../../schemas/membership.ts'
import { LOOPBACK } from './ports.ts'
import { type Secrets, writeOwnerOnly } from './secrets.ts'

export type FederationTrust = {
  readonly authority: Authority
  readonly authorityFile: string
  readonly members: readonly BrokerMember[]
  /** for the broker */
  readonly trust: BrokerTrust
  readonly accounts: readonly AccountClaim[]
  readonly tls: TlsFiles
}

/** @throws KEY_FILE_INVALID, CONFIG_INVALID, MEMBERSHIP_FILE_INVALID */
export async function prepareTrust(home: string, secrets: Secrets, now = new Date()): Promise<FederationTrust> {
  const folder = join(home, 'secrets')
  const authorityFile = join(folder, 'broker-authority.json')
  const founded = await access(authorityFile).then(
    () => true,
    () => false,
  )
  const authority = founded
    ? await openAuthority(authorityFile)
    : await foundAuthority(authorityFile, join(folder, 'broker-operator.seed'), secrets.fed)
  const members = brokerMembers(await parseMembership(await readFile(secrets.membershipFile, 'utf8')))
  for (const program of ['hub', ...members.map(({ code }) => code)]) {
    const path = secrets.brokerCredentialsFile(program)
    const { key } = await prepareCredentials(path)
    // A key that was revoked while its program was down: that program makes a new one when it starts.
    const token = await authority.admit(program, key).catch(revoked)
    if (token !== null) await acceptToken(path, token)
  }
  return {
    authority,
    authorityFile,
    members,
    trust: { operatorToken: authority.operatorToken, system: await authority.system() },
    accounts: await authority.claims(members),
    tls: await keepTlsFiles(folder, { fed: secrets.fed, hosts: [LOOPBACK], now }),
  }
}

function revoked(error: unknown): null {
  if (isExchangeError(error) && error.code === 'KEY_OUT_OF_RANGE') return null
  throw error
}

/** For whoever runs a broker of their own: to be included in its configuration. */
export const writeTrustFile = (path: string, { trust }: FederationTrust): Promise<void> =>
  writeOwnerOnly(path, `${JSON.stringify(trustConfiguration(trust, './accounts'), null, 2)}\n`)
