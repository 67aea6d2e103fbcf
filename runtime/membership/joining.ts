/**
 * How an organisation joins: keys made here, one signed request, and waiting for two people of the hub. Every step can be broken off
 * and taken up again: what was made is found again, the same request is the same answer, and a hub that is away is waited for.
 */
import { mkdir } from 'node:fs/promises'
import { setTimeout as delay } from 'node:timers/promises'
import { ERRORS, type ErrorCode, ExchangeError, isExchangeError } from '../../schemas/errors.ts'
import { takeEntries } from '../../schemas/membership/application.ts'
import { sealJoin } from '../../schemas/membership/consents.ts'
import { namedJwk } from '../../schemas/membership/keys.ts'
import { emptyState } from '../../schemas/membership/state.ts'
import { acceptToken, prepareCredentials } from '../broker/credentials.ts'
import { createKeyFile, readKeyFile, signerOf } from '../keys/key-file.ts'
import type { JoinFile } from './join-file.ts'
import { openKeyring } from './keyring.ts'
import { keptEncKey, placesIn, readSecretJson, replaceOwnerOnly } from './member-folder.ts'

/** What is missing and who must act, as the hub says it. */
export type JoinAnswer =
  | { readonly state: 'pending' | 'refused'; readonly missing: readonly string[]; readonly who: readonly string[] }
  | {
      readonly state: 'admitted'
      readonly entries: readonly string[]
      readonly broker: { readonly jwt: string; readonly urls: string; readonly ca: string | null }
    }

export type JoinProgress =
  | { readonly step: 'made'; readonly fingerprint: string; readonly anchor: string }
  | { readonly step: 'unreachable'; readonly reason: string }
  | { readonly step: 'pending'; readonly missing: readonly string[]; readonly who: readonly string[] }
  | { readonly step: 'admitted'; readonly position: number; readonly brokers: string }

type Request = { readonly ticket: string; readonly token: string; readonly fingerprint: string }

const TIMEOUT_MS = 10_000
const FIRST_PAUSE_MS = 300
const LAST_PAUSE_MS = 5000

export type JoinOptions = {
  readonly file: JoinFile
  /** stays with the node */
  readonly folder: string
  /** to be taken away */
  readonly recoveryFile: string
  readonly passphrase: string | null
  /** socket of a signing agent, in which the keys are made */
  readonly agentSocket?: string | undefined
  readonly recoveryPassphrase: string | null
  readonly base?: string
  readonly onProgress: (progress: JoinProgress) => void
  /** false: says how it stands and ends */
  readonly wait: boolean
  readonly signal: AbortSignal
}

/** True when admitted. @throws JOIN_*, REQUEST_UNAUTHORIZED, MEMBERSHIP_UNTRUSTED, KEY_FILE_INVALID */
export async function joinFederation(options: JoinOptions): Promise<boolean> {
  const { file, signal, onProgress } = options
  const request = await prepareRequest(options)
  onProgress({ step: 'made', fingerprint: request.fingerprint, anchor: file.anchor })
  let posted = false
  let said = ''
  for (let pause = FIRST_PAUSE_MS; ; pause = Math.min(LAST_PAUSE_MS, pause * 1.3)) {
    signal.throwIfAborted()
    try {
      const answer = posted ? await ask(file, 'GET', signal) : await ask(file, 'POST', signal, request.token)
      posted = true
      if (answer.state === 'admitted') {
        const position = await settle(options, request, answer)
        onProgress({ step: 'admitted', position, brokers: answer.broker.urls })
        return true
      }
      if (answer.state === 'refused') throw new ExchangeError('JOIN_REFUSED', `${file.code}: ${answer.missing.join('; ')}`)
      const text = JSON.stringify(answer.missing)
      if (text !== said) onProgress({ step: 'pending', missing: answer.missing, who: answer.who })
      said = text
      if (!options.wait) return false
    } catch (error) {
      if (!isExchangeError(error) || !error.retry || !options.wait) throw error
      if (said !== error.reason) onProgress({ step: 'unreachable', reason: error.reason })
      said = error.reason
    }
    await delay(pause, undefined, { signal }).catch(() => {})
  }
}

/** The keys and the request, made once. */
async function prepareRequest(options: JoinOptions): Promise<Request> {
  const { file, folder, recoveryFile, passphrase, recoveryPassphrase, agentSocket, base } = options
  await mkdir(folder, { recursive: true, mode: 0o700 })
  const places = placesIn(folder)
  const before = await readSecretJson<Request>(places.request)
  if (before?.ticket === file.ticket) return before
  const keyring = await openKeyring({ folder: places.keys, agentSocket, passphrase })
  const key = keyring.all()[0] ?? (await keyring.create())
  const recovery = await readKeyFile(recoveryFile, recoveryPassphrase).catch((error: unknown) => {
    const cause = isExchangeError(error) ? (error.cause as NodeJS.ErrnoException | undefined) : undefined
    if (cause?.code === 'ENOENT') return createKeyFile(recoveryFile, { passphrase: recoveryPassphrase })
    throw error
  })
  const { key: nkey } = await prepareCredentials(places.broker)
  const token = await sealJoin(
    {
      fed: file.fed,
      code: file.code,
      anchor: file.anchor,
      ticket: file.ticket,
      keys: [key.jwk],
      enc: await keptEncKey(places.enc),
      recovery: namedJwk(recovery.publicJwk),
      nkey,
      ...(base === undefined ? {} : { base }),
    },
    { signer: key.signer, others: [signerOf(recovery)], now: new Date() },
  )
  const request = { ticket: file.ticket, token, fingerprint: key.jwk.kid }
  await replaceOwnerOnly(places.request, `${JSON.stringify(request)}\n`)
  return request
}

/** Believes the hub nothing that the anchor key of the join file did not sign. */
async function settle(
  { file, folder }: JoinOptions,
  request: Request,
  { entries, broker }: Extract<JoinAnswer, { state: 'admitted' }>,
): Promise<number> {
  const { state } = await takeEntries(emptyState({ fed: file.fed, anchor: file.anchor }), entries)
  if (!state.anchored)
    throw new ExchangeError('MEMBERSHIP_UNTRUSTED', `${file.fed}: expected entries signed with the anchor key ${file.anchor}`)
  const member = state.members.get(file.code)
  if (member === undefined || !member.ring.keys.some(key => key.kid === request.fingerprint))
    throw new ExchangeError('MEMBERSHIP_FORGED', `${file.code}: expected to be admitted with the key that was made here`)
  const places = placesIn(folder)
  await acceptToken(places.broker, broker.jwt)
  if (broker.ca !== null) await replaceOwnerOnly(places.brokerCa, broker.ca)
  await replaceOwnerOnly(places.entries, `${entries.join('\n')}\n`)
  const { fed, code, anchor } = file
  await replaceOwnerOnly(
    places.member,
    `${JSON.stringify({ fed, code, anchor, join: request.token, hub: file.hub, brokers: broker.urls })}\n`,
  )
  return state.position
}

async function ask(file: JoinFile, method: 'GET' | 'POST', signal: AbortSignal, request?: string): Promise<JoinAnswer> {
  const url = method === 'POST' ? `${file.hub}/v1/join` : `${file.hub}/v1/join/${file.code}`
  const authorization = `Bearer ${file.secret}`
  const answer = await fetch(url, {
    method,
    headers: { authorization, ...(request === undefined ? {} : { 'content-type': 'application/json' }) },
    ...(request === undefined ? {} : { body: JSON.stringify({ ticket: file.ticket, request }) }),
    redirect: 'error',
    signal: AbortSignal.any([signal, AbortSignal.timeout(TIMEOUT_MS)]),
  }).catch((cause: unknown) => {
    signal.throwIfAborted()
    throw new ExchangeError('PROGRAM_UNREACHABLE', `${file.hub} does not answer`, { cause })
  })
  const body = (await answer.json().catch((): null => null)) as { readonly [name: string]: unknown } | null
  if (answer.ok && body !== null && typeof body.state === 'string') return body as unknown as JoinAnswer
  const { code, detail } = body ?? {}
  if (typeof code === 'string' && Object.hasOwn(ERRORS, code)) throw new ExchangeError(code as ErrorCode, String(detail))
  throw new ExchangeError('PROGRAM_UNREACHABLE', `${url}: expected an answer of the hub, got HTTP ${answer.status}`)
}
