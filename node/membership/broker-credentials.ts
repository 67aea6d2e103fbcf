/**
 * What this node proves itself with at the broker, kept current. Where the broker lets it in no more, the hub is asked over HTTP: it has a
 * newer token for the key, or the key is revoked. Then a new one is made here and named in a change under this member's own signature,
 * so that whoever stole the former has nothing. Envelopes wait in the ledger meanwhile.
 */
import { rename } from 'node:fs/promises'
import { setTimeout as delay } from 'node:timers/promises'
import {
  acceptToken,
  type BrokerCredentials,
  keyIn,
  prepareCredentials,
  readBrokerCredentials,
} from '../../runtime/broker/credentials.ts'
import type { MembershipKeeper } from '../../runtime/membership/keeper.ts'
import { ExchangeError, isExchangeError } from '../../schemas/errors.ts'
import { askHub } from './hub-http.ts'

export type OwnBrokerCredentials = AsyncDisposable & {
  current(): BrokerCredentials
  /** how long, in the broker's own words, this node has been out; asked every second */
  watch(trouble: () => string | null): void
  /** A new key in place of the one that may be stolen. Answers its public half. @throws PROGRAM_UNREACHABLE, what the hub refuses */
  renew(): Promise<string>
}

const CHECK_MS = 1000
/** what fails is tried again ever more seldom */
const PAUSE_MS = { least: 1000, most: 30_000 } as const

export async function keepBrokerCredentials(options: {
  readonly path: string
  readonly own: string
  readonly hubUrl: string
  /** signs the change of this member that names the key, and notes it as its own */
  readonly change: (nkey: string) => Promise<string>
  readonly keeper: MembershipKeeper
  readonly reconnect: () => Promise<void>
  readonly renewed: (key: string) => void
  readonly failed: (error: unknown) => void
}): Promise<OwnBrokerCredentials> {
  const { path, own, hubUrl, keeper } = options
  const stopping = new AbortController()
  const next = `${path}.new`
  let credentials = await readBrokerCredentials(path)
  let trouble: () => string | null = () => 'not connected yet'
  let working: Promise<unknown> = Promise.resolve()

  const tokenOf = async (key: string): Promise<string> => {
    const { jwt } = (await askHub(`${hubUrl}/v1/membership/members/${own}/broker?key=${key}`)) as { readonly jwt?: unknown }
    if (typeof jwt === 'string') return jwt
    throw new ExchangeError('PROGRAM_UNREACHABLE', `${hubUrl}: expected a token for the broker`)
  }

  /** Entries that this node lacks, over HTTP: a change counts on from the newest. */
  async function catchUp(): Promise<void> {
    for (let from = 0; from <= keeper.state().position; ) {
      from = keeper.state().position + 1
      const { entries } = (await askHub(`${hubUrl}/v1/membership/log?from=${from}`)) as { readonly entries?: unknown }
      if (!Array.isArray(entries) || entries.length === 0) return
      await keeper.take(entries.map(String))
    }
  }

  async function settle(key: string): Promise<void> {
    await acceptToken(next, await tokenOf(key))
    await rename(next, path)
    credentials = await readBrokerCredentials(path)
    options.renewed(key)
    await options.reconnect()
  }

  async function name(key: string): Promise<void> {
    const post = async (): Promise<unknown> => askHub(`${hubUrl}/v1/membership/changes`, { change: await options.change(key) })
    await catchUp()
    await post().catch(async (error: unknown) => {
      // Somebody changed something at the same time: counted anew.
      if (!isExchangeError(error) || error.code !== 'KEY_CHANGE_REPLAYED') throw error
      await catchUp()
      await post()
    })
  }

  /** The key that waits in the file beside: named already by a change whose answer was lost, or not yet. */
  async function renewNow(): Promise<string> {
    const { key } = await prepareCredentials(next)
    await settle(key).catch(async (error: unknown) => {
      if (!isExchangeError(error) || error.code !== 'KEY_UNKNOWN') throw error
      await name(key)
      await settle(key)
    })
    return key
  }

  /** Out of the broker: a newer token, or a newer key. */
  async function mend(): Promise<void> {
    if ((await keyIn(next)) !== null) return void (await renewNow())
    const key = await keyIn(path)
    if (key === null) return
    try {
      const jwt = await tokenOf(key)
      if (jwt === credentials.jwt) return
      await acceptToken(path, jwt)
      credentials = await readBrokerCredentials(path)
    } catch (error) {
      const revoked = isExchangeError(error) && (error.code === 'KEY_OUT_OF_RANGE' || error.code === 'KEY_UNKNOWN')
      if (!revoked) throw error
      await renewNow()
    }
  }

  const inTurn = <Type>(act: () => Promise<Type>): Promise<Type> => {
    const done = working.then(act)
    working = done.catch(() => {})
    return done
  }

  async function run(): Promise<void> {
    let pause: number = PAUSE_MS.least
    let out = false
    while (!stopping.signal.aborted) {
      await delay(out ? pause : CHECK_MS, undefined, { signal: stopping.signal }).catch(() => {})
      if (stopping.signal.aborted) return
      // Out at two checks: a broker that is restarted is soon back.
      const was = out
      out = trouble() !== null
      if (!out || !was) {
        pause = PAUSE_MS.least
        continue
      }
      await inTurn(mend).catch(error => {
        // A hub that is away as well is no news here.
        if (!isExchangeError(error) || error.code !== 'PROGRAM_UNREACHABLE') options.failed(error)
      })
      pause = Math.min(PAUSE_MS.most, pause * 2)
    }
  }
  const running = run()
  return {
    current: () => credentials,
    watch(asked) {
      trouble = asked
    },
    renew: () => inTurn(renewNow),
    async [Symbol.asyncDispose]() {
      stopping.abort()
      await running
      await working
    },
  }
}
