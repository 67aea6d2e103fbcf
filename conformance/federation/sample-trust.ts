/**
 * Trust lists of the demo: each member that may write `trust` operates one, with a certification authority of the demo's own; the national
 * member names them. They are published as an officer would, over HTTP, at the first start and again before they end.
 */
import { readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { setTimeout as delay } from 'node:timers/promises'
import { createCa } from '../../runtime/broker/certificates.ts'
import { readClientFile, requestToken } from '../../runtime/http/access/client.ts'
import { certificatesOf } from '../../schemas/trust/certificate-files.ts'
import { draftEntity, draftPointer } from '../../schemas/trust/list-draft.ts'
import { NATIONAL_LIST } from '../../schemas/trust/trust-list.ts'
import type { Clients } from './clients.ts'
import type { MemberPlan } from './members.ts'
import { writeOwnerOnly } from './secrets.ts'

const POLL_MS = 100
const CA_DAYS = 3650
const RENEW_MS = 10 * 86_400_000

/** PEM of certificate and key, owner-only. */
export type SampleAuthority = {
  readonly certificateFile: string
  readonly keyFile: string
  readonly certificate: string
  readonly key: string
}

/** The demo's authority in a member's territory: made once, found again. */
export async function prepareSampleAuthority(
  secretsDir: string,
  { code, zh }: Pick<MemberPlan, 'code' | 'zh'>,
): Promise<SampleAuthority> {
  const [certificateFile, keyFile] = [join(secretsDir, `ca-${code}.pem`), join(secretsDir, `ca-${code}.key.pem`)]
  const known = await Promise.all([certificateFile, keyFile].map(path => readFile(path, 'utf8'))).catch((): null => null)
  if (known !== null) return { certificateFile, keyFile, certificate: known[0] ?? '', key: known[1] ?? '' }
  const { certificate, key } = createCa({ name: `${zh}示例电子认证`, now: new Date(), days: CA_DAYS })
  await writeOwnerOnly(keyFile, key)
  await writeOwnerOnly(certificateFile, certificate)
  return { certificateFile, keyFile, certificate, key }
}

export const operatesList = ({ writes }: MemberPlan): boolean => writes.includes('trust')

async function untilAlive(url: string, signal: AbortSignal): Promise<void> {
  for (;;) {
    signal.throwIfAborted()
    const alive = await fetch(`${url}/health/live`, { signal }).then(
      answer => answer.ok,
      () => false,
    )
    if (alive) return
    await delay(POLL_MS, undefined, { signal })
  }
}

const contentFor = async (member: MemberPlan, members: readonly MemberPlan[], secretsDir: string): Promise<object> => {
  if (member.kind === 'national') {
    const named = members.filter(one => one.kind !== 'national' && operatesList(one))
    return { TrustedEntitiesList: [], PointersToOtherLoTE: named.map(one => draftPointer(one.code, one)) }
  }
  const { certificate } = await prepareSampleAuthority(secretsDir, member)
  const name = { zh: `${member.zh}示例电子认证`, en: `Sample certification authority of ${member.en}` }
  const service = {
    name,
    certificates: certificatesOf(Buffer.from(certificate)),
    since: new Date('2026-01-01T00:00:00Z'),
    // The demo's authority answers for no revocations; its list says so, and every verdict with it.
    profile: { Revocation: 'none' as const },
  }
  return { TrustedEntitiesList: [draftEntity({ name, region: member.code, services: [service] })] }
}

/** Publishes the member's list unless one stands that is good for a while. Waits until the node can be spoken to. */
export async function publishSampleList(
  member: MemberPlan,
  options: {
    readonly members: readonly MemberPlan[]
    readonly url: string
    readonly clients: Clients
    readonly secretsDir: string
    readonly signal: AbortSignal
  },
): Promise<void> {
  const { url, signal } = options
  await untilAlive(url, signal)
  const { token } = await requestToken(url, await readClientFile(options.clients.clientFile('security-administrator')))
  const headers = { authorization: `Bearer ${token}`, 'content-type': 'application/json' }
  const id = member.kind === 'national' ? NATIONAL_LIST : member.code
  const standing = await fetch(`${url}/v1/trust-lists/${id}`, { headers, signal })
  const held = standing.ok ? ((await standing.json()) as { next_update: string }) : null
  if (held !== null && Date.parse(held.next_update) - Date.now() > RENEW_MS) return
  const body = JSON.stringify(await contentFor(member, options.members, options.secretsDir))
  const answer = await fetch(`${url}/v1/trust-lists`, { method: 'POST', headers, body, signal })
  if (answer.ok) return
  const problem = await answer.text()
  // A federation that was founded before its national member had a list: then none is asked for.
  if (!problem.includes('DATASET_NOT_ALLOWED')) throw new Error(`${member.code}: HTTP ${answer.status} ${problem}`)
}
