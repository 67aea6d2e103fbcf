/** A member of the demo joins as every other does: invited by one person of the hub, approved by another who was told the fingerprint. */
import { access } from 'node:fs/promises'
import { readClientFile, requestToken } from '../../runtime/http/access/client.ts'
import { parseJoinFile } from '../../runtime/membership/join-file.ts'
import { joinFederation } from '../../runtime/membership/joining.ts'
import { placesIn } from '../../runtime/membership/member-folder.ts'
import type { Clients } from './clients.ts'
import type { Founded } from './founding.ts'
import type { MemberPlan } from './members.ts'

export const isJoined = (founded: Founded, code: string): Promise<boolean> =>
  access(placesIn(founded.memberDir(code)).member).then(
    () => true,
    () => false,
  )

/** An order of the hub's office, by whoever holds a role there. */
export async function orderHub(
  hubUrl: string,
  clients: Clients,
  role: 'system-administrator' | 'security-administrator',
  path: string,
  body: object,
): Promise<unknown> {
  const { token } = await requestToken(hubUrl, await readClientFile(clients.clientFile(role)))
  const answer = await fetch(`${hubUrl}${path}`, {
    method: 'POST',
    headers: { authorization: `Bearer ${token}`, 'content-type': 'application/json' },
    body: JSON.stringify(body),
  })
  const text = await answer.text()
  if (!answer.ok) throw new Error(`${path}: HTTP ${answer.status} ${text}`)
  return JSON.parse(text)
}

export async function admitMember(
  { code, kind, zh, en, writes }: MemberPlan,
  {
    founded,
    hubUrl,
    clients,
    signal,
  }: { readonly founded: Founded; readonly hubUrl: string; readonly clients: Clients; readonly signal: AbortSignal },
): Promise<void> {
  const order = (role: 'system-administrator' | 'security-administrator', path: string, body: object) =>
    orderHub(hubUrl, clients, role, path, body)
  const invited = await order('system-administrator', '/v1/membership/invitations', { code, kind, zh, en, writes })
  const failed = new AbortController()
  let approving: Promise<unknown> = Promise.resolve()
  let asked = false
  let fingerprint = ''
  await joinFederation({
    file: parseJoinFile(JSON.stringify(invited), code),
    folder: founded.memberDir(code),
    recoveryFile: founded.recoveryFile(code),
    passphrase: null,
    recoveryPassphrase: null,
    wait: true,
    signal: AbortSignal.any([signal, failed.signal]),
    onProgress(progress) {
      if (progress.step === 'made') fingerprint = progress.fingerprint
      if (progress.step !== 'pending' || asked) return
      asked = true
      approving = order('security-administrator', `/v1/membership/members/${code}/approve`, { fingerprint })
      approving.catch(error => failed.abort(error))
    },
  })
  await approving
}
