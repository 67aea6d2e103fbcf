/**
 * What a federation on one machine needs before it starts: keys of hub and members, the membership file that names their public
 * halves, operator tokens, passwords. Made once, owner-only, and found again at every later start.
 */
import { randomBytes } from 'node:crypto'
import { access, mkdir, readFile, rename, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { createKeyFile, type KeyFile, readKeyFile } from '../../runtime/keys/key-file.ts'
import { ExchangeError } from '../../schemas/errors.ts'
import { type MembershipFile, parseMembership } from '../../schemas/membership.ts'
import type { MemberPlan } from './members.ts'

export const newSecret = (): string => randomBytes(32).toString('base64url')

/** Replaces the file as a whole, readable by its owner only. */
export async function writeOwnerOnly(path: string, text: string): Promise<void> {
  const draft = `${path}.${randomBytes(6).toString('hex')}.tmp`
  await writeFile(draft, text, { mode: 0o600, flag: 'wx' })
  await rename(draft, path)
}

const exists = (path: string): Promise<boolean> =>
  access(path).then(
    () => true,
    () => false,
  )

/** The file's text, written with `make` if there is none yet. */
async function keptText(path: string, make: () => string): Promise<string> {
  if (!(await exists(path))) await writeOwnerOnly(path, make())
  return readFile(path, 'utf8')
}

const keptKey = async (path: string): Promise<KeyFile> => ((await exists(path)) ? readKeyFile(path) : createKeyFile(path))

export type Secrets = {
  readonly fed: string
  readonly membershipFile: string
  keyFile(program: string): string
  operatorTokenFile(program: string): string
  brokerCredentialsFile(program: string): string
  /** one for each purpose and program, the same at every start */
  password(purpose: string): Promise<string>
}

/** @throws KEY_FILE_INVALID, MEMBERSHIP_FILE_INVALID if the folder holds another federation than the members asked for */
export async function prepareSecrets(home: string, members: readonly MemberPlan[]): Promise<Secrets> {
  const keys = join(home, 'keys')
  const secrets = join(home, 'secrets')
  for (const folder of [keys, secrets]) await mkdir(folder, { recursive: true, mode: 0o700 })
  const keyFile = (program: string): string => join(keys, `${program}.jwk.json`)
  const programs = ['hub', ...members.map(member => member.code)]
  const made = new Map(await Promise.all(programs.map(async name => [name, await keptKey(keyFile(name))] as const)))
  const operatorTokenFile = (program: string): string => join(secrets, `operator-${program}.token`)
  for (const program of programs) await keptText(operatorTokenFile(program), () => `${newSecret()}\n`)
  const membershipFile = join(home, 'membership.json')
  const fed = await keepMembership(membershipFile, members, made)
  return {
    fed,
    membershipFile,
    keyFile,
    operatorTokenFile,
    brokerCredentialsFile: program => join(secrets, `broker-${program}.json`),
    password: async purpose => (await keptText(join(secrets, `${purpose}.password`), newSecret)).trim(),
  }
}

async function keepMembership(path: string, members: readonly MemberPlan[], keys: ReadonlyMap<string, KeyFile>): Promise<string> {
  const published = (name: string): { kid: string; x: string }[] => {
    const key = keys.get(name)
    return key === undefined ? [] : [{ kid: key.kid, x: key.publicJwk.x }]
  }
  const make = (): string => {
    const file: MembershipFile = {
      fed: `demo-${randomBytes(4).toString('hex')}`,
      position: 0,
      hub: { keys: published('hub') },
      members: members.map(member => ({ ...member, keys: published(member.code) })),
    }
    return `${JSON.stringify(file, null, 2)}\n`
  }
  const membership = await parseMembership(await keptText(path, make))
  const registered = (name: string): readonly { kid: string }[] =>
    name === 'hub' ? membership.hubKeys : (membership.members.get(name)?.keys ?? [])
  for (const [name, { kid }] of keys) {
    if (!registered(name).some(key => key.kid === kid)) {
      throw new ExchangeError(
        'MEMBERSHIP_FILE_INVALID',
        `${path}: expected the key of ${name} that stands in the folder keys; the folder holds another federation`,
      )
    }
  }
  return membership.fed
}
