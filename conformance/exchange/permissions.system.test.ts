import type { Subscription } from '@nats-io/transport-node'
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest'
import type { Broker } from '../../runtime/nats.ts'
import { AUDIENCES, CODES, type PermissionGround, startPermissionGround } from './permission-ground.ts'
import { listenings, requests, sayings } from './permission-matrix.ts'

/** An answer comes within milliseconds on loopback; most refusals come as an error at once. */
const NO_ANSWER_MS = 150

let ground: PermissionGround
const member = new Map<string, Broker>()
const tally = { tried: 0, refused: 0, unexpected: 0 }
/** of the test that runs */
let unexpected: string[] = []

beforeAll(async () => {
  ground = await startPermissionGround()
  for (const code of CODES) member.set(code, await ground.connect(code))
  for (const code of CODES) await as(code).stream.publish(`log.${code}.entity.all`, 'first')
})
afterAll(async () => {
  process.stdout.write(
    `permissions at the broker: ${tally.tried} cells tried, ${tally.refused} refused, ${tally.unexpected} unexpected\n`,
  )
  await ground?.[Symbol.asyncDispose]()
})

beforeEach(() => {
  unexpected = []
})

const as = (code: string): Broker => {
  const broker = code === 'hub' ? ground.hub : member.get(code)
  if (broker === undefined) throw new Error(`no member ${code}`)
  return broker
}

function judge(cell: string, { may, effect }: { readonly may: boolean; readonly effect: boolean }): void {
  tally.tried += 1
  if (!effect) tally.refused += 1
  if (may === effect) return
  tally.unexpected += 1
  unexpected.push(`${cell}: ${effect ? 'had an effect' : 'had none'}`)
}

type Ear = { readonly heard: Set<string>; readonly close: () => void }

/** What one program hears at some filters, by filter. A filter that it may not have is an error, and hears nothing. */
async function listen(program: string, filters: readonly string[]): Promise<Ear> {
  const heard = new Set<string>()
  const subscriptions: Subscription[] = filters.map(filter =>
    as(program).connection.subscribe(filter, {
      callback: (error, message) => {
        if (error === null) heard.add(`${filter} ${message.subject} ${message.string()}`)
      },
    }),
  )
  await as(program).connection.flush()
  return {
    heard,
    close() {
      for (const subscription of subscriptions) if (!subscription.isClosed()) subscription.unsubscribe()
    },
  }
}

/** Until everything that was said has come to whoever could hear it: what the broker passes on, it passes on in order. */
async function settle(): Promise<void> {
  for (const code of CODES) await as(code).connection.flush()
  const mark = crypto.randomUUID()
  const marks = await Promise.all(CODES.map(code => listen(code, [`receipt.${code}`])))
  const own = await listen('hub', ['heard.mark.all'])
  as('hub').connection.publish('head.mark.all', mark)
  for (const code of CODES) as('hub').connection.publish(`receipt.${code}`, mark)
  await expect.poll(() => [own, ...marks].every(({ heard }) => [...heard].some(text => text.endsWith(mark)))).toBe(true)
  for (const ear of [own, ...marks]) ear.close()
}

describe('what a member says', () => {
  it.each(CODES)('%s is heard under its own code alone', async me => {
    const hub = await listen('hub', ['heard.*.*', 'asked.hub.*.*'])
    const others = new Map(
      await Promise.all(
        CODES.filter(code => code !== me).map(
          async code => [code, await listen(code, [`receipt.${code}`, `asked.${code}.*.*`])] as const,
        ),
      ),
    )
    const later: { readonly cell: string; readonly may: boolean; readonly hears: () => boolean }[] = []
    for (const { subject, shows, may } of sayings(me)) {
      const said = crypto.randomUUID()
      if (shows.at === 'stream') {
        const before = await ground.stored(shows.origin)
        as(me).connection.publish(subject, said)
        await as(me).connection.flush()
        // A stream takes messages in their order: what came before this one has its place before it.
        const { seq } = await as('hub').stream.publish(`log.${shows.origin}.entity.all`, 'mark')
        judge(`${me} says ${subject}`, { may, effect: seq > before + 1 })
        continue
      }
      as(me).connection.publish(subject, said, { reply: `_INBOX_${me}.none` })
      await as(me).connection.flush()
      const ear = shows.at === 'hub' ? hub : others.get(shows.code)
      const hears = (): boolean => [...(ear?.heard ?? [])].some(text => text.endsWith(said))
      later.push({ cell: `${me} says ${subject}`, may, hears })
    }
    await settle()
    for (const { cell, may, hears } of later) judge(cell, { may, effect: hears() })
    for (const ear of [hub, ...others.values()]) ear.close()
    expect(unexpected).toEqual([])
  })
})

describe('what a member hears', () => {
  it.each(CODES)('%s hears its audiences, its receipts and the questions put to it, and nobody’s inbox', async me => {
    const rows = listenings(me)
    const ear = await listen(
      me,
      rows.map(({ filter }) => filter),
    )
    // Everything is said that can be, by whoever may say it; each question is answered into its asker's inbox.
    const others = CODES.filter(code => code !== me)
    for (const origin of others) {
      as(origin).connection.publish(`log.${origin}.entity.all`, 'log')
      for (const audience of AUDIENCES) as(origin).connection.publish(`head.${origin}.${audience}`, 'head')
    }
    for (const code of CODES) as('hub').connection.publish(`receipt.${code}`, 'receipt')
    const answering = [...others, 'hub'].map(holder =>
      as(holder).connection.subscribe(`asked.${holder}.*.*`, {
        callback: (error, message) => {
          if (error === null) message.respond('answer')
        },
      }),
    )
    for (const holder of [...others, 'hub']) await as(holder).connection.flush()
    for (const asker of [...others, 'hub']) {
      for (const holder of [...CODES, 'hub']) {
        if (holder === asker) continue
        const subject = `ask.${holder}.range.${asker}`
        if (holder === me) as(asker).connection.publish(subject, 'question', { reply: `_INBOX_${asker}.x` })
        else expect((await as(asker).connection.request(subject, 'question')).string()).toBe('answer')
      }
    }
    await settle()
    for (const { filter, may } of rows)
      judge(`${me} listens at ${filter}`, { may, effect: [...ear.heard].some(text => text.startsWith(`${filter} `)) })
    ear.close()
    for (const subscription of answering) subscription.unsubscribe()
    expect(unexpected).toEqual([])
  })
})

/** What stands at the broker: names and configurations. */
const streams = async (): Promise<string[]> =>
  (await ground.manager.streams.list().next()).map(({ config }) => JSON.stringify(config)).sort()

describe('what a member asks of the broker', () => {
  it.each(CODES)('%s gets no answer but from its own consumers', async me => {
    const rows = requests(me)
    const before = await streams()
    for (let at = 0; at < rows.length; at += 32) {
      await Promise.all(
        rows.slice(at, at + 32).map(async ({ subject, body, may }) => {
          const answer = await as(me)
            .connection.request(subject, body, { timeout: NO_ANSWER_MS, noMux: true })
            .catch(() => null)
          judge(`${me} asks ${subject}`, { may, effect: answer !== null })
        }),
      )
    }
    expect(unexpected).toEqual([])
    expect(await streams()).toEqual(before)
  })

  it.each(CODES)('an acknowledgement for %s counts from itself alone', async reader => {
    const origin = CODES.find(code => code !== reader) ?? ''
    await as(origin).stream.publish(`log.${origin}.entity.all`, 'to be acknowledged')
    const consumer = await as(reader).stream.consumers.get(`LOG-${origin}`, `READER-${reader}`)
    const state = async (): Promise<string> => {
      const { ack_floor, delivered, num_ack_pending, num_redelivered } = await ground.manager.consumers.info(
        `LOG-${origin}`,
        `READER-${reader}`,
      )
      return [ack_floor.stream_seq, delivered.consumer_seq, num_ack_pending, num_redelivered].join()
    }
    const message = await consumer.next({ expires: 2000 })
    if (message === null) throw new Error('expected a message')
    const before = await state()
    const subject = `$JS.ACK.LOG-${origin}.READER-${reader}.1.${message.seq}.${message.info.deliverySequence}.1.0`
    for (const other of CODES.filter(code => code !== reader)) {
      for (const word of ['+ACK', '+TERM', '-NAK', '+NXT']) {
        as(other).connection.publish(subject, word)
        await as(other).connection.flush()
      }
      judge(`${other} acknowledges for ${reader}`, { may: false, effect: (await state()) !== before })
    }
    await message.ackAck()
    judge(`${reader} acknowledges`, { may: true, effect: (await state()) !== before })
    expect(unexpected).toEqual([])
  })
})
