/**
 * What a federation on one machine needs before it starts: the hub's keys and its founding, operator tokens, passwords. Made once,
 * owner-only, and found again. Members make their own keys when they join, each in a folder of its own. Recovery keys lie in `offline/`,
 * which stands for the safe that they belong in.
 */
import { randomBytes } from 'node:crypto'
import { access, mkdir, readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { foundFederation, readFounding } from '../../runtime/membership/founding.ts'
import { placesIn } from '../../runtime/membership/member-folder.ts'
import { applyEntry } from '../../schemas/membership/application.ts'
import type { KeyRing } from '../../schemas/membership/keys.ts'
import { emptyState, type MembershipState } from '../../schemas/membership/state.ts'
import type { MembershipFile } from '../../schemas/membership.ts'
import { newSecret, type Secrets, writeOwnerOnly } from './secrets.ts'

export type Founded = Secrets & {
  readonly anchor: string
  readonly foundingFile: string
  memberDir(code: string): string
  recoveryFile(program: string): string
}

const exists = (path: string): Promise<boolean> =>
  access(path).then(
    () => true,
    () => false,
  )

async function keptText(path: string, make: () => string): Promise<string> {
  if (!(await exists(path))) await writeOwnerOnly(path, make())
  return readFile(path, 'utf8')
}

/** @throws KEY_FILE_INVALID, CONFIG_INVALID if the folder holds something else than a federation that was founded here */
export async function prepareFounding(home: string, programs: readonly string[], approvals: 1 | 2 = 2): Promise<Founded> {
  const [keys, secrets, offline, members] = ['keys', 'secrets', 'offline', 'members'].map(name => join(home, name)) as [
    string,
    string,
    string,
    string,
  ]
  for (const folder of [keys, secrets, offline, members]) await mkdir(folder, { recursive: true, mode: 0o700 })
  const foundingFile = join(home, 'founding.jwt')
  const recoveryFile = (program: string): string => join(offline, `recovery-${program}.jwk.json`)
  const hubKeyFile = join(keys, 'hub.jwk.json')
  const { fed, anchor, token } = (await exists(foundingFile))
    ? await readFounding(foundingFile)
    : await foundFederation({
        fed: `demo-${randomBytes(4).toString('hex')}`,
        base: 'https://hutong.example',
        approvals,
        keyFile: hubKeyFile,
        recoveryFile: recoveryFile('hub'),
        recoveryPassphrase: null,
        foundingFile,
        now: new Date(),
      })
  const operatorTokenFile = (program: string): string => join(secrets, `operator-${program}.token`)
  for (const program of programs) await keptText(operatorTokenFile(program), () => `${newSecret()}\n`)
  const membershipFile = join(home, 'membership.json')
  if (!(await exists(membershipFile))) await writeSnapshot(membershipFile, await stateOf(fed, anchor, [token]))
  const memberDir = (code: string): string => join(members, code)
  return {
    fed,
    anchor,
    foundingFile,
    membershipFile,
    memberDir,
    recoveryFile,
    keyFile: program => (program === 'hub' ? hubKeyFile : join(placesIn(memberDir(program)).keys, 'signing-1.jwk.json')),
    operatorTokenFile,
    brokerCredentialsFile: program => (program === 'hub' ? join(secrets, 'broker-hub.json') : placesIn(memberDir(program)).broker),
    password: async purpose => (await keptText(join(secrets, `${purpose}.password`), newSecret)).trim(),
  }
}

async function stateOf(fed: string, anchor: string, tokens: readonly string[]): Promise<MembershipState> {
  let state = emptyState({ fed, anchor })
  for (const token of tokens) state = (await applyEntry(state, token)).state
  return state
}

/** Keys that sign or signed, each with the ends of what it is good for. */
const keysOf = (ring: KeyRing) =>
  ring.keys.flatMap(({ jwk, activeFrom, closings }) => {
    if (activeFrom === null) return []
    if (closings === null) return [jwk]
    const ends = [...closings].map(([log, { epoch, seq }]) => {
      const [origin = '', dataset = '', audience = ''] = log.split('/')
      return { origin, dataset, audience, epoch, seq }
    })
    return [{ ...jwk, closings: ends }]
  })

/** The membership as it is now, in the form that offline tools read. */
async function writeSnapshot(path: string, state: MembershipState): Promise<void> {
  const file: MembershipFile = {
    fed: state.fed,
    position: state.position,
    hub: { keys: keysOf(state.hub) },
    members: [...state.members.values()]
      .filter(({ standing }) => standing !== 'left')
      .map(({ code, kind, zh, en, writes, ring }) => ({
        code,
        kind,
        zh,
        en,
        writes,
        alliances: [...state.alliances.values()]
          .filter(({ seats }) => seats.some(seat => seat.code === code && seat.until === null))
          .map(({ id }) => id),
        keys: keysOf(ring),
      })),
  }
  await writeOwnerOnly(path, `${JSON.stringify(file, null, 2)}\n`)
}

/** Asks the hub for its log and writes the snapshot. */
export async function refreshSnapshot(founded: Founded, hubUrl: string): Promise<MembershipState> {
  const tokens: string[] = []
  for (;;) {
    const answer = await fetch(`${hubUrl}/v1/membership/log?from=${tokens.length + 1}`)
    const { entries } = (await answer.json()) as { entries: string[] }
    if (entries.length === 0) break
    tokens.push(...entries)
  }
  const state = await stateOf(founded.fed, founded.anchor, tokens)
  await writeSnapshot(founded.membershipFile, state)
  return state
}
