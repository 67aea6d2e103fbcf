/** Which faults come when, in which company: dealt from the seed, or read from a script. */
import type { Random } from '../samples/random.ts'
import { type Card, FAULTS } from './faults.ts'

const TOGETHER_MAX = 3
const TOUCHES_STORE = new Set(['flip', 'zero', 'wipe', 'full'])

/** `kill hub` means that fault on that target, `kill` on any. */
export const chosen = (only: readonly string[] | undefined) =>
  only === undefined ? FAULTS : FAULTS.filter(row => only.some(name => name.split(' ')[0] === row.name))

function wanted(cards: Generator<Card, never>, only: readonly string[] | undefined): Card {
  for (let tries = 0; tries < 10_000; tries += 1) {
    const card = cards.next().value
    if (only === undefined || only.includes(card.row.name) || only.includes(`${card.row.name} ${card.target}`)) return card
  }
  throw new RangeError(`expected faults and targets that there are, got ${only?.join(', ')}`)
}

export type Series = { readonly group: readonly Card[]; readonly gaps: readonly number[] }

const gapsOf = (group: readonly Card[], random: Random): number[] =>
  group.map((_, index) => (index === 0 ? 0 : random.integer(0, 4000)))

/** One fault or several at once, never two of the same disk. */
export function* dealt(
  cards: Generator<Card, never>,
  only: readonly string[] | undefined,
  random: Random,
): Generator<Series, never> {
  let kept: Card | null = null
  for (;;) {
    const count = random.chance(0.5) ? 1 : random.integer(2, TOGETHER_MAX)
    const group: Card[] = []
    while (group.length < count) {
      const card: Card = kept ?? wanted(cards, only)
      kept = null
      if (TOUCHES_STORE.has(card.row.name) && group.some(one => TOUCHES_STORE.has(one.row.name))) {
        kept = card
        break
      }
      group.push(card)
    }
    yield { group, gaps: gapsOf(group, random) }
  }
}

export function* scripted(script: readonly (readonly string[])[], random: Random): Generator<Series, void> {
  for (const names of script) {
    const group = names.map(name => {
      const [fault, target = ''] = name.split(' ')
      const row = FAULTS.find(one => one.name === fault)
      if (row === undefined) throw new RangeError(`expected a fault and its target, got ${name}`)
      return { row, target }
    })
    yield { group, gaps: gapsOf(group, random) }
  }
}
