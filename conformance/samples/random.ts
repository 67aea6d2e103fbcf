/**
 * A small seeded generator (mulberry32): the same name gives the same numbers on every machine, so that row i of a table is a
 * function of the seed, the system and i, and nothing has to be remembered to make it again. It serves sample data only; nothing
 * secret may come from it.
 */

export type Random = {
  /** a whole number from `min` to `max`, both included */
  integer(min: number, max: number): number
  chance(probability: number): boolean
  pick<T>(from: readonly [T, ...T[]]): T
  text(alphabet: string, length: number): string
}

/** FNV-1a, 32 bits, over UTF-16 code units. */
const hash = (name: string): number => {
  let state = 0x811c9dc5
  for (let index = 0; index < name.length; index++) state = Math.imul(state ^ name.charCodeAt(index), 0x01000193)
  return state >>> 0
}

export const randomOf = (...name: readonly (string | number)[]): Random => {
  let state = hash(name.join('/'))
  const next = (): number => {
    state = (state + 0x6d2b79f5) | 0
    let mixed = Math.imul(state ^ (state >>> 15), 1 | state)
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 4_294_967_296
  }
  const integer = (min: number, max: number): number => min + Math.floor(next() * (max - min + 1))
  return {
    integer,
    chance: probability => next() < probability,
    pick: from => from[integer(0, from.length - 1)] ?? from[0],
    text: (alphabet, length) => Array.from({ length }, () => alphabet[integer(0, alphabet.length - 1)]).join(''),
  }
}
