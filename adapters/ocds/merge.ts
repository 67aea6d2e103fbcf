/**
 * Open Contracting's merge ("Merging", OCDS 1.1): a later release says only what changed. Objects are merged member by member,
 * lists of objects by their `id`, other lists are replaced, null takes a member away. So an award's release, which does not
 * repeat the tender, still becomes a record with a title.
 */

import { type ExactJson, type ExactObject, exactText, isExactObject } from '../exact-json.ts'

const idOf = (value: ExactJson): string | undefined => (isExactObject(value) ? exactText(value.id) : undefined)

const mergeLists = (before: readonly ExactJson[], after: readonly ExactJson[]): readonly ExactJson[] => {
  if (![...before, ...after].every(item => idOf(item) !== undefined)) return after
  const merged = new Map(before.map(item => [idOf(item), item]))
  for (const item of after) {
    const known = merged.get(idOf(item))
    merged.set(idOf(item), isExactObject(known) && isExactObject(item) ? mergeReleases(known, item) : item)
  }
  return [...merged.values()]
}

/** What is known after the later release. */
export const mergeReleases = (before: ExactObject, after: ExactObject): ExactObject => {
  const merged = new Map(Object.entries(before))
  for (const [name, value] of Object.entries(after)) {
    const known = merged.get(name)
    if (value === undefined) continue
    if (value === null) merged.delete(name)
    else if (name !== 'tag' && Array.isArray(known) && Array.isArray(value)) merged.set(name, mergeLists(known, value))
    else merged.set(name, isExactObject(known) && isExactObject(value) ? mergeReleases(known, value) : value)
  }
  return Object.fromEntries(merged)
}
