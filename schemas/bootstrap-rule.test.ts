import { describe, expect, it } from 'vitest'
import { HUB_ROUNDS, judgeKeepers, type KeeperAnswer, mayBootstrap } from './bootstrap-rule.ts'

const log = { origin: '530000', dataset: 'entity', audience: 'all' }
const mark = (seq: number, epoch = 1) => ({ at: { epoch, seq, digest: 'd' }, root: 'r', records: 1 })
const said = (answers: { readonly [holder: string]: KeeperAnswer['said'] }): KeeperAnswer[] =>
  Object.entries(answers).map(([holder, one]) => ({ holder, said: one }))

describe('a log', () => {
  it('begins with a snapshot where nothing of it is held and the snapshot is worth it', () => {
    expect(mayBootstrap(log, null, mark(9), 8)).toBe(true)
    expect(mayBootstrap(log, null, mark(7), 8)).toBe(false)
    expect(mayBootstrap(log, null, mark(1, 2), 8)).toBe(true)
    expect(mayBootstrap(log, { head: { epoch: 1, seq: 0, digest: 'd' }, frozen: false }, mark(9), 8)).toBe(false)
    expect(mayBootstrap(log, { head: null, frozen: true }, mark(9), 8)).toBe(false)
    expect(mayBootstrap({ ...log, audience: 'national' }, null, mark(9), 8)).toBe(false)
  })
})

describe('the word of other holders on a snapshot', () => {
  it('keeps a newcomer from it where one of them has found another root, whoever else gives it', () => {
    expect(judgeKeepers(said({ hub: 'gives', a: 'refuses', b: 'gives' }), 0)).toEqual({ kind: 'refused', by: 'a' })
  })
  it('costs nothing while nobody answers', () => {
    expect(judgeKeepers(said({ hub: 'silent', a: 'silent' }), 0)).toEqual({ kind: 'silence' })
  })
  it('waits for the hub that has not judged it yet, and not for ever', () => {
    const answers = said({ hub: 'lacks', '530000': 'gives' })
    expect(judgeKeepers(answers, 0)).toEqual({ kind: 'wait' })
    expect(judgeKeepers(answers, HUB_ROUNDS)).toEqual({ kind: 'load', keepers: ['530000'] })
  })
  it('does not wait for a hub that does not answer', () => {
    expect(judgeKeepers(said({ hub: 'silent', '530000': 'gives' }), 0)).toEqual({ kind: 'load', keepers: ['530000'] })
  })
})
