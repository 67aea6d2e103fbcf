/**
 * What an accepted record does to the replica. The state of a key is the highest `ver` accepted, so that a repeat, a late release
 * from quarantine and a version that its origin counted backwards change nothing, at every holder alike.
 */

/** `standing` is the version that the replica holds of this key, null for none. */
export const takesEffect = (standing: number | null, ver: number): boolean => standing === null || ver > standing

/** Of several records with one key in a batch the highest version stands for all; the first of equals. In the order of the batch. */
export function highestOfEachKey<One extends { readonly key: string; readonly ver: number }>(
  records: readonly One[],
): readonly One[] {
  const highest = new Map<string, One>()
  for (const record of records) {
    if (takesEffect(highest.get(record.key)?.ver ?? null, record.ver)) highest.set(record.key, record)
  }
  return highest.size === records.length ? records : [...highest.values()]
}
