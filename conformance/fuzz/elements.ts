/**
 * Encoded elements as a tree that can be bent and written again. Reading is as lenient as can be: what does not look like elements is
 * left as bytes, so that every input has a tree. Writing gives every element its true length, unless it is told to lie.
 */
export type Element = {
  identifier: number
  /** what it holds: elements, or bytes */
  parts: Element[] | Uint8Array
  /** the octets of the length, where they are not to be true */
  length?: Uint8Array
}

const MAX_DEPTH = 40

/** One element at the start of the bytes, and where it ends; null if there is none that fits. */
function readElement(bytes: Uint8Array, from: number, to: number, depth: number): { element: Element; end: number } | null {
  const identifier = bytes[from]
  const first = bytes[from + 1]
  if (identifier === undefined || first === undefined || (identifier & 0x1f) === 0x1f) return null
  let start = from + 2
  let length = first
  if (first > 0x7f) {
    const count = first & 0x7f
    if (count === 0 || count > 3) return null
    length = 0
    for (let index = 0; index < count; index += 1) length = length * 256 + (bytes[start + index] ?? 0)
    start += count
  }
  const end = start + length
  if (end > to) return null
  return { element: { identifier, parts: partsOf(bytes, identifier, start, end, depth) }, end }
}

function partsOf(bytes: Uint8Array, identifier: number, from: number, to: number, depth: number): Element[] | Uint8Array {
  const constructed = (identifier & 0x20) !== 0
  // The values of extensions are elements inside an OCTET STRING, keys inside a BIT STRING stay bytes.
  const wrapping = identifier === 0x04 && to - from > 1
  if ((!constructed && !wrapping) || depth > MAX_DEPTH) return bytes.slice(from, to)
  return readElements(bytes, from, to, depth + 1) ?? bytes.slice(from, to)
}

function readElements(bytes: Uint8Array, from: number, to: number, depth: number): Element[] | null {
  const elements: Element[] = []
  let at = from
  while (at < to) {
    const read = readElement(bytes, at, to, depth)
    if (read === null) return null
    elements.push(read.element)
    at = read.end
  }
  return elements
}

/** The tree of an input, or null if it does not begin with an element that fills it. */
export function readTree(bytes: Uint8Array): Element | null {
  const read = readElement(bytes, 0, bytes.length, 0)
  return read !== null && read.end === bytes.length ? read.element : null
}

function lengthOctets(length: number): Uint8Array {
  if (length < 0x80) return Uint8Array.of(length)
  const octets: number[] = []
  for (let rest = length; rest > 0; rest = Math.floor(rest / 256)) octets.unshift(rest % 256)
  return Uint8Array.of(0x80 | octets.length, ...octets)
}

export function writeTree({ identifier, parts, length }: Element): Buffer {
  const content = parts instanceof Uint8Array ? parts : Buffer.concat(parts.map(writeTree))
  return Buffer.concat([Uint8Array.of(identifier), length ?? lengthOctets(content.length), content])
}

export const copyOf = ({ identifier, parts, length }: Element): Element => ({
  identifier,
  parts: parts instanceof Uint8Array ? Uint8Array.from(parts) : parts.map(copyOf),
  ...(length === undefined ? {} : { length }),
})

/** Every element of a tree, itself first. */
export const everyOf = (element: Element): Element[] => [
  element,
  ...(element.parts instanceof Uint8Array ? [] : element.parts.flatMap(everyOf)),
]
