/**
 * The JSON Canonicalization Scheme (RFC 8785): one text for each value, whoever writes it. Numbers and strings are written as
 * ECMAScript writes them (§3.2.2), members are sorted by the UTF-16 units of their names (§3.2.3). The value must be I-JSON.
 */
import type { JsonValue } from './record.ts'

export function canonicalText(value: JsonValue): string {
  if (typeof value !== 'object' || value === null) return JSON.stringify(value)
  if (Array.isArray(value)) return `[${value.map(canonicalText).join(',')}]`
  const members = value as { readonly [name: string]: JsonValue | undefined }
  let text = ''
  for (const name of Object.keys(members).sort()) {
    const inner = members[name]
    if (inner === undefined) continue
    text += `${text === '' ? '' : ','}${JSON.stringify(name)}:${canonicalText(inner)}`
  }
  return `{${text}}`
}
