/** The forms of names that are text: host names, mailboxes, hosts of URIs, addresses. */

const LABEL = /^[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?$/i

/** Preferred name syntax (RFC 1034 §3.5, RFC 1123 §2.1) that is no IPv4 address, at most 253 characters. */
export function isDnsName(text: string): boolean {
  if (text.length === 0 || text.length > 253) return false
  const labels = text.split('.')
  return labels.every(label => LABEL.test(label)) && !/^\d+$/.test(labels.at(-1) ?? '')
}

/** As a certificate may carry it: the leftmost label may be `*` (RFC 9525 §6.3). */
export const isPresentedDns = (text: string): boolean => isDnsName(text.startsWith('*.') ? text.slice(2) : text)

/** RFC 5321 §4.1.2 Mailbox, with a host name: one @ outside of quotes. */
export function mailboxOf(text: string): { readonly local: string; readonly host: string } | undefined {
  const parts = /^("(?:[^"\\]|\\.)*"|[^@"\s]+)@([^@]+)$/.exec(text)
  const [, local = '', host = ''] = parts ?? []
  return parts !== null && local.length <= 64 && /^[\x21-\x7e ]+$/.test(local) && isDnsName(host)
    ? { local, host: host.toLowerCase() }
    : undefined
}

/** The host of a URI's authority (RFC 3986 §3.2.2) if it is a name; undefined of one without, or with an address. */
export function hostOfUri(text: string): string | undefined {
  const authority = /^[a-z][a-z0-9+.-]*:\/\/([^/?#]*)/i.exec(text)?.[1]
  const host = authority?.slice(authority.lastIndexOf('@') + 1).replace(/:\d*$/, '')
  return host !== undefined && isDnsName(host) ? host.toLowerCase() : undefined
}

/** Octets of an address in text; undefined if it is none. */
export function octetsOfIp(text: string): Buffer | undefined {
  if (!text.includes(':')) {
    const numbers = text.split('.').map(part => (/^(0|[1-9]\d{0,2})$/.test(part) ? Number(part) : 256))
    return numbers.length === 4 && numbers.every(number => number < 256) ? Buffer.from(numbers) : undefined
  }
  const halves = text.split('::')
  if (halves.length > 2) return undefined
  const groups = halves.map(half => (half === '' ? [] : half.split(':')))
  const tail = groups.at(-1)?.at(-1) ?? ''
  if (tail.includes('.')) {
    const four = octetsOfIp(tail)
    if (four === undefined) return undefined
    groups.at(-1)?.splice(-1, 1, four.toString('hex', 0, 2), four.toString('hex', 2, 4))
  }
  const [head = [], rest = []] = groups
  const gap = 8 - head.length - rest.length
  if (halves.length === 1 ? gap !== 0 : gap < 1) return undefined
  const all = [...head, ...Array.from({ length: gap }, () => '0'), ...rest]
  if (!all.every(group => /^[0-9a-f]{1,4}$/i.test(group))) return undefined
  return Buffer.from(all.map(group => group.padStart(4, '0')).join(''), 'hex')
}
