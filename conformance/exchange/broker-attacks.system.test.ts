/** What a member could do to another through the broker itself; some of it works where members share an account. */
import { readFile } from 'node:fs/promises'
import { performance } from 'node:perf_hooks'
import { encodeUser } from '@nats-io/jwt'
import { createUser, fromPublic, fromSeed } from '@nats-io/nkeys'
import { afterAll, beforeAll, describe, expect, it, vi } from 'vitest'
import { memberAccount } from '../../runtime/broker/accounts.ts'
import type { BrokerCredentials } from '../../runtime/broker/credentials.ts'
import { type Broker, connectBroker } from '../../runtime/nats.ts'
import { digestOf } from '../../schemas/digest.ts'
import { CODES, type PermissionGround, startPermissionGround } from './permission-ground.ts'

const [VICTIM, THIEF, OTHER] = ['530000', '520000', '530100'] as const
const LOG = (code: string): string => `log.${code}.entity.all`

let ground: PermissionGround
let victim: Broker
let thief: Broker
let other: Broker
/** what the broker told the thief it may not do */
const told: string[] = []

beforeAll(async () => {
  ground = await startPermissionGround()
  victim = await ground.connect(VICTIM)
  thief = await ground.connect(THIEF)
  other = await ground.connect(OTHER)
  void (async () => {
    for await (const status of thief.connection.status()) if (status.type === 'error') told.push(status.error.message)
  })()
})
afterAll(async () => {
  await ground?.[Symbol.asyncDispose]()
})

const storedOfAll = (): Promise<number[]> => Promise.all(CODES.map(ground.stored))

describe('a reply subject that the broker itself would write to', () => {
  it('does not put the broker’s acknowledgement into another’s log, nor into the thief’s own', async () => {
    const before = await storedOfAll()
    for (const reply of [LOG(VICTIM), LOG(THIEF), `head.${VICTIM}.all`, `receipt.${VICTIM}`])
      thief.connection.publish(LOG(THIEF), 'mine', { reply })
    await thief.connection.flush()
    const after = before.map((count, index) => (CODES[index] === THIEF ? count + 4 : count))
    await expect.poll(storedOfAll).toEqual(after)
    await thief.stream.publish(LOG(THIEF), 'behind everything')
    expect(await storedOfAll()).toEqual(after.map((count, index) => (CODES[index] === THIEF ? count + 1 : count)))
  })

  it('does not acknowledge for another: such a reply is refused', async () => {
    const since = told.length
    thief.connection.publish(LOG(THIEF), '+ACK', { reply: `$JS.ACK.LOG-${VICTIM}.READER-${OTHER}.1.1.1.1.0` })
    thief.connection.publish(LOG(THIEF), '+ACK', { reply: '_R_.abcdef.ghijkl' })
    await expect.poll(() => told.slice(since).filter(text => text.includes('with Reply')).length).toBe(2)
  })

  it('does not make the broker store another’s batch, by a pull or by an acknowledgement that asks for the next', async () => {
    for (let i = 0; i < 20; i += 1) await victim.stream.publish(LOG(VICTIM), Buffer.alloc(100_000, i))
    const before = await storedOfAll()
    const pull = `HUB.API.CONSUMER.MSG.NEXT.LOG-${VICTIM}.READER-${THIEF}`
    for (const reply of [LOG(VICTIM), LOG(THIEF), LOG(OTHER)])
      thief.connection.publish(pull, JSON.stringify({ batch: 4, expires: 1_000_000_000 }), { reply })
    const consumer = await thief.stream.consumers.get(`LOG-${VICTIM}`, `READER-${THIEF}`)
    const message = await consumer.next({ expires: 2000 })
    if (message === null) throw new Error('expected a message')
    const subject = `$JS.ACK.LOG-${VICTIM}.READER-${THIEF}.1.${message.seq}.${message.info.deliverySequence}.1.0`
    for (const reply of [LOG(VICTIM), LOG(THIEF)]) thief.connection.publish(subject, '+NXT {"batch":4}', { reply })
    await thief.connection.flush()
    // Whatever the pulls brought has been delivered once a later one is.
    await (await consumer.next({ expires: 2000 }))?.ackAck()
    expect(await storedOfAll()).toEqual(before)
  })
})

describe('the id of another’s next message', () => {
  it('taken in the thief’s own log drops nothing: each origin’s stream has ids of its own', async () => {
    const msgID = digestOf('the next envelope')
    await thief.stream.publish(LOG(THIEF), 'poison', { msgID })
    const before = await ground.stored(VICTIM)
    expect(await victim.stream.publish(LOG(VICTIM), 'the next envelope', { msgID })).toMatchObject({ duplicate: false })
    expect(await ground.stored(VICTIM)).toBe(before + 1)
  })

  it('cannot be taken in the victim’s own', async () => {
    const msgID = digestOf('one after')
    const before = await ground.stored(VICTIM)
    await expect(thief.stream.publish(LOG(VICTIM), 'poison', { msgID, timeout: 500 })).rejects.toThrow(/permission/i)
    expect(await ground.stored(VICTIM)).toBe(before)
    expect(await victim.stream.publish(LOG(VICTIM), 'one after', { msgID })).toMatchObject({ duplicate: false })
  })
})

describe('a name that would mean everybody', () => {
  it.each(['*', '>', '5300*', '530000.>', '', 'hub ', '53000'])('is no member: %j', async code => {
    await expect(ground.authority.claims([{ code, audiences: ['all'] }])).rejects.toMatchObject({ code: 'MEMBER_UNKNOWN' })
    await expect(ground.authority.admit(code, createUser().getPublicKey())).rejects.toMatchObject({ code: 'MEMBER_UNKNOWN' })
  })

  it.each(['*', '>', 'a.b', ''])('stands in no claim: %j', code => {
    expect(() => memberAccount({ code, audiences: ['all'] }, 'A', { signer: 'A' })).toThrow()
    expect(() => memberAccount({ code: VICTIM, audiences: [code] }, 'A', { signer: 'A' })).toThrow()
  })
})

describe('an answer', () => {
  it('to a question that nobody asked reaches nobody', async () => {
    const heard: string[] = []
    victim.connection.subscribe(`_INBOX_${VICTIM}.>`, {
      callback: (error, message) => {
        if (error === null) heard.push(message.string())
      },
    })
    await victim.connection.flush()
    const since = told.length
    for (const subject of [`_INBOX_${VICTIM}.x`, `_INBOX_${THIEF}.x`, '_R_.abcdef.ghijkl'])
      thief.connection.publish(subject, 'unasked')
    await expect.poll(() => told.length - since).toBe(3)
    expect(heard).toEqual([])
  })

  it('to a question that was put to somebody else reaches nobody', async () => {
    let reply = ''
    const asked = other.connection.subscribe(`asked.${OTHER}.*.*`, {
      callback: (_error, message) => {
        reply = message.reply ?? ''
      },
    })
    await other.connection.flush()
    const answer = victim.connection.request(`ask.${OTHER}.range.${VICTIM}`, '', { timeout: 1500 }).then(
      message => message.string(),
      () => 'none',
    )
    await expect.poll(() => reply).not.toBe('')
    thief.connection.publish(reply, 'forged')
    await thief.connection.flush()
    expect(await answer).toBe('none')
    asked.unsubscribe()
  })
})

/** Milliseconds until the broker has ended a connection, from before it was told to. */
async function ended(broker: Broker, act: () => Promise<void>): Promise<number> {
  const statuses = broker.connection.status()[Symbol.asyncIterator]()
  const gone = (async () => {
    for (;;) {
      const { value, done } = await statuses.next()
      if (done === true || value.type === 'disconnect') return performance.now()
    }
  })()
  const since = performance.now()
  await act()
  return (await gone) - since
}

const refused = (credentials: BrokerCredentials): Promise<unknown> =>
  expect(ground.connect(THIEF, credentials)).rejects.toMatchObject({ code: 'BROKER_UNAVAILABLE' })

const keyOf = ({ seed }: BrokerCredentials): string => fromSeed(new TextEncoder().encode(seed)).getPublicKey()

describe('a member that is shut out', () => {
  it('loses its live connection within a second of a revocation, and comes back under a new key alone', async () => {
    const credentials = await ground.credentials(THIEF)
    const broker = await ground.connect(THIEF, credentials)
    const key = keyOf(credentials)
    await ground.authority.revoke(THIEF, key)
    expect(await ended(broker, ground.claims.push)).toBeLessThan(1000)
    await refused(credentials)
    await expect(ground.authority.admit(THIEF, key)).rejects.toMatchObject({ code: 'KEY_OUT_OF_RANGE' })
    await (await ground.connect(THIEF)).connection.flush()
  })

  it('does not escape a revocation by a token that is dated in the future', async () => {
    const pair = createUser()
    const seed = new TextDecoder().decode(pair.getSeed())
    vi.useFakeTimers({ toFake: ['Date'], now: Date.now() + 10 * 365 * 86_400_000 })
    const jwt = await ground.authority.admit(THIEF, pair.getPublicKey()).finally(() => vi.useRealTimers())
    const broker = await ground.connect(THIEF, { jwt, seed })
    await ground.authority.revoke(THIEF, pair.getPublicKey())
    expect(await ended(broker, ground.claims.push)).toBeLessThan(1000)
    await refused({ jwt, seed })
  })

  it('is out with all its keys while it is suspended, and in again with those that were not revoked', async () => {
    const credentials = await ground.credentials(THIEF)
    const broker = await ground.connect(THIEF, credentials)
    const members = ground.members
    ground.members = members.map(member => (member.code === THIEF ? { ...member, closed: true } : member))
    expect(await ended(broker, ground.claims.push)).toBeLessThan(1000)
    await refused(credentials)
    await refused(await ground.credentials(THIEF))
    ground.members = members
    await ground.claims.push()
    await (await ground.connect(THIEF, credentials)).connection.flush()
  })

  it('is out with every token of a signing key that was replaced', async () => {
    const credentials = await ground.credentials(THIEF)
    const broker = await ground.connect(THIEF, credentials)
    await ground.authority.rotate(THIEF)
    expect(await ended(broker, ground.claims.push)).toBeLessThan(1000)
    await refused(credentials)
    await (await ground.connect(THIEF)).connection.flush()
  })

  it('has no say in who is admitted: a token signed by a user’s or another account’s key is refused', async () => {
    const file = JSON.parse(await readFile(ground.authorityFile, 'utf8')) as {
      members: { [code: string]: { account: string; signer: string } }
    }
    const [own, its] = [file.members[VICTIM]?.account ?? '', file.members[OTHER]?.signer ?? '']
    const pair = createUser()
    const seed = new TextDecoder().decode(pair.getSeed())
    const signer = fromSeed(new TextEncoder().encode(its))
    await refused({ seed, jwt: await encodeUser('forged', pair, fromPublic(own), {}, { signer }) })
  })
})

describe('the way to the broker', () => {
  it('is encrypted or nothing: neither side goes on in plaintext, nor with a certificate of another authority', async () => {
    const credentials = await ground.credentials(THIEF)
    const url = ground.url()
    const plain = { servers: url.replace('tls://', 'nats://'), tls: null, reconnect: false }
    const { connect } = await import('@nats-io/transport-node')
    await expect(connect(plain)).rejects.toThrow(/tls/i)
    await expect(connectBroker({ url, program: THIEF, credentials, ca: null, timeoutMs: 2000 })).rejects.toMatchObject({
      code: 'BROKER_UNAVAILABLE',
    })
    const { createServer } = await import('node:net')
    const server = createServer(socket => {
      socket.on('error', () => {})
      socket.write('INFO {"server_id":"x","version":"2.14.0","proto":1,"headers":true,"max_payload":1048576,"nonce":"abc"}\r\n')
      socket.on('data', data => taken.push(data.toString('latin1')))
    })
    const taken: string[] = []
    await new Promise<void>(resolve => server.listen(0, '127.0.0.1', resolve))
    const address = server.address()
    const port = typeof address === 'object' && address !== null ? address.port : 0
    const stripped = { url: `nats://127.0.0.1:${port}`, program: THIEF, credentials, ca: ground.ca, timeoutMs: 2000 }
    await expect(connectBroker(stripped)).rejects.toMatchObject({ code: 'BROKER_UNAVAILABLE' })
    expect(taken.join('')).not.toContain(credentials.jwt)
    server.close()
  })
})

describe('the broker', () => {
  it('carries through a member’s account about what it carries inside the hub’s', async () => {
    const body = Buffer.alloc(120_000, 7)
    const rate = async (broker: Broker): Promise<number> => {
      const since = performance.now()
      for (let i = 0; i < 60; i += 1) await broker.stream.publish(LOG(VICTIM), body)
      return 60_000 / (performance.now() - since)
    }
    // In turns, and the best of each: the machine may be busy with something else for a while.
    let [direct, through] = [0, 0]
    for (let round = 0; round < 4; round += 1) {
      direct = Math.max(direct, await rate(ground.hub))
      through = Math.max(through, await rate(victim))
    }
    process.stdout.write(`publishing 120 kB, one after another: ${direct.toFixed(0)}/s direct, ${through.toFixed(0)}/s by import\n`)
    expect(through).toBeGreaterThan(direct / 3)
  })

  it('that lost everything is told the accounts again, and every program comes back by itself', async () => {
    const coming = victim.connection.status()[Symbol.asyncIterator]()
    await ground.wipeBroker()
    for (;;) {
      const { value } = await coming.next()
      if (value?.type === 'reconnect') break
    }
    await expect
      .poll(
        () =>
          victim.stream.publish(LOG(VICTIM), 'again').then(
            ({ seq }) => seq > 0,
            () => false,
          ),
        { timeout: 20_000 },
      )
      .toBe(true)
  }, 60_000)
})
