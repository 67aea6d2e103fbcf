import { describe, expect, test } from 'vitest'
import { tokenDigest } from '../envelope.ts'
import { foreignChangesOf } from './own-entry.ts'
import { encKeyNamed, keyNamed, SampleFederation } from './sample-federation.ts'

const YUNNAN = '530000'

async function watched() {
  const federation = await SampleFederation.found()
  const own = new Set<string>()
  const join = await federation.join(YUNNAN)
  own.add(tokenDigest(join))
  const start = federation.state
  await federation.enter(federation.admission(YUNNAN, join))
  await federation.admit('520000')
  return { federation, own, start, seen: () => foreignChangesOf(YUNNAN, start, federation.state, own) }
}

describe('a node that watches its own entry', () => {
  test('finds nothing foreign in what it signed itself, nor in what is about others', async () => {
    const { federation, own, seen } = await watched()
    const change = await federation.change(YUNNAN, { enc: encKeyNamed('second') })
    own.add(tokenDigest(change))
    await federation.enter({ act: 'keys', code: YUNNAN, change })
    await federation.enter({ act: 'keys', code: '520000', change: await federation.change('520000', { enc: encKeyNamed('x') }) })
    expect(await seen()).toEqual([])
  })

  test('alarms with the entry when the hub plants a key, although every holder refuses it', async () => {
    const { federation, seen } = await watched()
    const planted = { announce: [(await keyNamed('planted')).jwk] }
    const change = await federation.change(YUNNAN, planted, { by: 'hub', entering: ['planted'] })
    await federation.enter({ act: 'keys', code: YUNNAN, change })
    expect(await seen()).toEqual([{ seq: 4, act: 'keys', by: 'unsigned', alarm: true, proof: federation.state.tokens[3] }])
  })

  test('alarms when its own key signed a change or a consent that it did not make', async () => {
    const { federation, seen } = await watched()
    const change = await federation.change(YUNNAN, { enc: encKeyNamed('of the thief') })
    await federation.enter({ act: 'keys', code: YUNNAN, change })
    const members = [YUNNAN]
    const consents = [await federation.consent({ code: YUNNAN, id: 'west', members })]
    await federation.enter({ act: 'alliance', id: 'west', zh: '西', en: 'W', members, past: false, consents })
    expect(await seen()).toMatchObject([
      { act: 'keys', by: 'unknown', alarm: true },
      { act: 'alliance', by: 'unknown', alarm: true },
    ])
  })

  test('alarms when somebody was admitted under its code', async () => {
    const { federation, start } = await watched()
    expect(await foreignChangesOf(YUNNAN, start, federation.state, new Set())).toMatchObject([
      { act: 'admit', by: 'unknown', alarm: true },
    ])
  })

  test('notes what is the hub’s to do, without an alarm', async () => {
    const { federation, seen } = await watched()
    await federation.enter({ act: 'suspend', code: YUNNAN, closings: [], why: 'inquiry' })
    expect(await seen()).toMatchObject([{ act: 'suspend', by: 'hub', alarm: false }])
  })

  test('tells a consent in its name that it did not sign from one under its key', async () => {
    const { federation, seen } = await watched()
    const members = [YUNNAN]
    const consents = [await federation.consent({ code: YUNNAN, id: 'west', members }, 1, 'hub')]
    await federation.enter({ act: 'alliance', id: 'west', zh: '西', en: 'W', members, past: false, consents })
    expect(await seen()).toMatchObject([{ act: 'alliance', by: 'unsigned', alarm: true }])
  })
})
