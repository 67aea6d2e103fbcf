/**
 * Which certificates may stand above which (RFC 5280 §6.1, RFC 4158). Certificates are indexed by subject; a name from which no chain of
 * names leads to an anchor is never entered, so that a web of strangers costs nothing. The search goes depth first, nearest to an anchor
 * first, then by key identifier; it never enters one name with one key twice on a path. Each certificate it looks at, each signature and
 * each complete path is paid for out of the question's work.
 */
import { type Certificate, isSelfIssued } from './certificate.ts'
import { bufferOf } from './der.ts'
import type { Name } from './names.ts'

export type Material = {
  readonly anchors: ReadonlySet<string>
  /** certificates that lead to an anchor, nearest first */
  readonly bySubject: ReadonlyMap<string, readonly Certificate[]>
  readonly byKeyId: ReadonlyMap<string, readonly Certificate[]>
  /** how many names lie between a name and the nearest anchor; absent where none is reached */
  readonly distance: ReadonlyMap<string, number>
}

const hexOf = (octets: Uint8Array): string => bufferOf(octets).toString('hex')
const keyIdOf = (subject: Name, keyId: Uint8Array): string => `${hexOf(keyId)} ${subject.canonical}`

function push<T>(map: Map<string, T[]>, key: string, value: T): void {
  const same = map.get(key)
  if (same === undefined) map.set(key, [value])
  else same.push(value)
}

/** Names by their distance from an anchor's: breadth first over "was issued by". */
function distances(anchors: readonly Certificate[], intermediates: readonly Certificate[]): Map<string, number> {
  const issued = new Map<string, Certificate[]>()
  for (const one of intermediates) push(issued, one.issuer.canonical, one)
  const distance = new Map(anchors.map(({ subject }) => [subject.canonical, 0]))
  for (const [name, far] of distance)
    for (const one of issued.get(name) ?? []) if (!distance.has(one.subject.canonical)) distance.set(one.subject.canonical, far + 1)
  return distance
}

export function indexMaterial(anchors: readonly Certificate[], intermediates: readonly Certificate[]): Material {
  const distance = distances(anchors, intermediates)
  const trusted = new Set(anchors.map(({ fingerprint }) => fingerprint))
  const seen = new Set<string>()
  const bySubject = new Map<string, Certificate[]>()
  for (const one of [...anchors, ...intermediates]) {
    if (seen.has(one.fingerprint) || !(trusted.has(one.fingerprint) || distance.has(one.issuer.canonical))) continue
    seen.add(one.fingerprint)
    push(bySubject, one.subject.canonical, one)
  }
  const rank = (one: Certificate): number => (trusted.has(one.fingerprint) ? -1 : (distance.get(one.issuer.canonical) ?? 0))
  const byKeyId = new Map<string, Certificate[]>()
  for (const list of bySubject.values()) {
    if (list.length > 1) list.sort((a, b) => rank(a) - rank(b) || b.notBefore - a.notBefore)
    for (const one of list)
      if (one.extensions.subjectKeyId !== undefined) push(byKeyId, keyIdOf(one.subject, one.extensions.subjectKeyId), one)
  }
  return { anchors: trusted, bySubject, byKeyId, distance }
}

type Hinted = { readonly keyId?: Uint8Array } | undefined

/** Whether two key identifiers say that the key is another one; without both of them nothing is said. */
export const isOtherKey = (hint: Hinted, { extensions: { subjectKeyId } }: Certificate): boolean =>
  hint?.keyId !== undefined && subjectKeyId !== undefined && !bufferOf(hint.keyId).equals(bufferOf(subjectKeyId))

/** Certificates of a name, those with the key that the hint names first. */
export function* certificatesOf({ bySubject, byKeyId }: Material, name: Name, hint: Hinted): Generator<Certificate> {
  const rest = bySubject.get(name.canonical) ?? []
  if (hint?.keyId === undefined || rest.length < 2) return yield* rest
  const first = byKeyId.get(keyIdOf(name, hint.keyId)) ?? []
  yield* first
  if (first.length === rest.length) return
  const named = new Set(first)
  for (const one of rest) if (!named.has(one)) yield one
}

/** One name with one key: what may stand on a path once. */
const isSameHolder = (a: Certificate, b: Certificate): boolean =>
  a === b || (a.subject.canonical === b.subject.canonical && bufferOf(a.key.spki).equals(bufferOf(b.key.spki)))

/**
 * Issuers to try for the top of a chain. A chain may go on through a name again (a CA that renews its key, §6.1), never through one
 * name and key again.
 */
export function* issuersOf(material: Material, chain: readonly Certificate[]): Generator<Certificate> {
  const top = chain.at(-1)
  if (top === undefined) return
  for (const one of certificatesOf(material, top.issuer, top.extensions.authorityKeyId))
    if (!chain.some((below, index) => isSameHolder(below, one) && !(index === 0 && isRolledOver(below, one)))) yield one
}

/** A leaf may be below a CA certificate of its own name and key: it is the CA itself, seen once more. */
const isRolledOver = (leaf: Certificate, one: Certificate): boolean => leaf.fingerprint !== one.fingerprint && isSelfIssued(leaf)
