/**
 * Signatures over a digest that somebody else computed: Node.js verifies over messages alone. RSA gives the digest back (RFC 8017 §8.2.2);
 * ECDSA (FIPS 186-5 §6.4.2) and SM2 (GB/T 32918.2 §7.1) are short equations on the curve, whose numbers are all public, so that no time
 * they take tells anything. The digest of SM2 is e, which covers the signer's identity and key before the message.
 */
import { constants, createPublicKey, publicDecrypt } from 'node:crypto'
import type { DigestRow } from './digests.ts'

type Curve = {
  readonly p: bigint
  readonly a: bigint
  readonly b: bigint
  readonly n: bigint
  readonly g: readonly [bigint, bigint]
}
/** Jacobian coordinates: x/z², y/z³; z = 0 is the point at infinity. */
type Point = readonly [x: bigint, y: bigint, z: bigint]
type Rule = 'ecdsa' | 'sm2'

/** FIPS 186-5 and SP 800-186 §3.2.1; GB/T 32918.5 §A.1. All have a = p − 3. */
const curve = (p: string, b: string, n: string, x: string, y: string): Curve => {
  const [prime, coefficient, order, gx, gy] = [p, b, n, x, y].map(hex => BigInt(`0x${hex}`)) as [
    bigint,
    bigint,
    bigint,
    bigint,
    bigint,
  ]
  return { p: prime, a: prime - 3n, b: coefficient, n: order, g: [gx, gy] }
}
const CURVES: readonly { readonly oid: string; readonly rule: Rule; readonly curve: Curve }[] = [
  {
    oid: '1.2.840.10045.3.1.7',
    rule: 'ecdsa',
    curve: curve(
      'ffffffff00000001000000000000000000000000ffffffffffffffffffffffff',
      '5ac635d8aa3a93e7b3ebbd55769886bc651d06b0cc53b0f63bce3c3e27d2604b',
      'ffffffff00000000ffffffffffffffffbce6faada7179e84f3b9cac2fc632551',
      '6b17d1f2e12c4247f8bce6e563a440f277037d812deb33a0f4a13945d898c296',
      '4fe342e2fe1a7f9b8ee7eb4a7c0f9e162bce33576b315ececbb6406837bf51f5',
    ),
  },
  {
    oid: '1.3.132.0.34',
    rule: 'ecdsa',
    curve: curve(
      'fffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffeffffffff0000000000000000ffffffff',
      'b3312fa7e23ee7e4988e056be3f82d19181d9c6efe8141120314088f5013875ac656398d8a2ed19d2a85c8edd3ec2aef',
      'ffffffffffffffffffffffffffffffffffffffffffffffffc7634d81f4372ddf581a0db248b0a77aecec196accc52973',
      'aa87ca22be8b05378eb1c71ef320ad746e1d3b628ba79b9859f741e082542a385502f25dbf55296c3a545e3872760ab7',
      '3617de4a96262c6f5d9e98bf9292dc29f8f41dbd289a147ce9da3113b5f0b8c00a60b1ce1d7e819d7a431d7c90ea0e5f',
    ),
  },
  {
    oid: '1.2.156.10197.1.301',
    rule: 'sm2',
    curve: curve(
      'fffffffeffffffffffffffffffffffffffffffff00000000ffffffffffffffff',
      '28e9fa9e9d9f5e344d5a9e4bcf6509a7f39789f515ab8f92ddbcbd414d940e93',
      'fffffffeffffffffffffffffffffffff7203df6b21c6052b53bbf40939d54123',
      '32c4ae2c1f1981195f9904466a39c9948fe30bbff2660be1715a4589334c74c7',
      'bc3736a2f4f6779c59bdcee36b692153d0a9877cc62a474002df32e52139f0a0',
    ),
  },
]

const mod = (value: bigint, modulus: bigint): bigint => {
  const rest = value % modulus
  return rest < 0n ? rest + modulus : rest
}

function inverse(value: bigint, modulus: bigint): bigint {
  let [r, next] = [modulus, mod(value, modulus)]
  let [t, nextT] = [0n, 1n]
  while (next !== 0n) {
    const q = r / next
    ;[r, next] = [next, r - q * next]
    ;[t, nextT] = [nextT, t - q * nextT]
  }
  return mod(t, modulus)
}

const INFINITY: Point = [1n, 1n, 0n]

function double([x, y, z]: Point, { p, a }: Curve): Point {
  if (z === 0n || y === 0n) return INFINITY
  const yy = mod(y * y, p)
  const s = mod(4n * x * yy, p)
  const m = mod(3n * x * x + a * mod(z * z, p) ** 2n, p)
  const x3 = mod(m * m - 2n * s, p)
  return [x3, mod(m * (s - x3) - 8n * yy * yy, p), mod(2n * y * z, p)]
}

function add(one: Point, other: Point, on: Curve): Point {
  const { p } = on
  const [x1, y1, z1] = one
  const [x2, y2, z2] = other
  if (z1 === 0n) return other
  if (z2 === 0n) return one
  const z1z1 = mod(z1 * z1, p)
  const z2z2 = mod(z2 * z2, p)
  const u1 = mod(x1 * z2z2, p)
  const s1 = mod(y1 * z2 * z2z2, p)
  const h = mod(x2 * z1z1 - u1, p)
  const r = mod(y2 * z1 * z1z1 - s1, p)
  if (h === 0n) return r === 0n ? double(one, on) : INFINITY
  const hh = mod(h * h, p)
  const hhh = mod(h * hh, p)
  const v = mod(u1 * hh, p)
  const x3 = mod(r * r - hhh - 2n * v, p)
  return [x3, mod(r * (v - x3) - s1 * hhh, p), mod(h * z1 * z2, p)]
}

/** x of u·G + v·Q, null at infinity. */
function combine(u: bigint, v: bigint, q: Point, on: Curve): bigint | null {
  const g: Point = [on.g[0], on.g[1], 1n]
  const both = add(g, q, on)
  let sum = INFINITY
  for (let bit = BigInt(on.n.toString(2).length); bit >= 0n; bit -= 1n) {
    sum = double(sum, on)
    const [inU, inV] = [(u >> bit) & 1n, (v >> bit) & 1n]
    if (inU === 1n && inV === 1n) sum = add(sum, both, on)
    else if (inU === 1n) sum = add(sum, g, on)
    else if (inV === 1n) sum = add(sum, q, on)
  }
  return sum[2] === 0n ? null : mod(sum[0] * inverse(sum[2] * sum[2], on.p), on.p)
}

const numberOf = (bytes: Uint8Array): bigint => BigInt(`0x${Buffer.from(bytes).toString('hex') || '0'}`)

/** The uncompressed point of a key, null unless it lies on the curve. */
function pointOf(bits: Uint8Array, { p, a, b }: Curve): Point | null {
  const octets = Math.ceil(p.toString(16).length / 2)
  if (bits[0] !== 4 || bits.length !== 1 + 2 * octets) return null
  const x = numberOf(bits.subarray(1, 1 + octets))
  const y = numberOf(bits.subarray(1 + octets))
  const on = x < p && y < p && mod(y * y - x * x * x - a * x - b, p) === 0n
  return on ? [x, y, 1n] : null
}

const RULES: { readonly [rule in Rule]: (e: bigint, r: bigint, s: bigint, q: Point, on: Curve) => boolean } = {
  ecdsa(e, r, s, q, on) {
    const w = inverse(s, on.n)
    const x = combine(mod(e * w, on.n), mod(r * w, on.n), q, on)
    return x !== null && mod(x, on.n) === r
  },
  sm2(e, r, s, q, on) {
    const t = mod(r + s, on.n)
    if (t === 0n) return false
    const x = combine(s, t, q, on)
    return x !== null && mod(e + x, on.n) === r
  },
}

/**
 * Whether r and s are a signature over the digest by the key with these bits on the curve of this OID; null if the curve is not known.
 * A digest longer than the order counts by its leftmost bits (FIPS 186-5 §6.4.2).
 */
export function verifyCurveDigest(
  curveOid: string,
  bits: Uint8Array,
  digest: Uint8Array,
  { r, s }: { readonly r: Uint8Array; readonly s: Uint8Array },
): boolean | null {
  const row = CURVES.find(({ oid }) => oid === curveOid)
  if (row === undefined) return null
  const on = row.curve
  const q = pointOf(bits, on)
  const [rNumber, sNumber] = [numberOf(r), numberOf(s)]
  if (q === null || rNumber < 1n || rNumber >= on.n || sNumber < 1n || sNumber >= on.n) return false
  const extra = BigInt(Math.max(0, digest.length * 8 - on.n.toString(2).length))
  return RULES[row.rule](numberOf(digest) >> extra, rNumber, sNumber, q, on)
}

/** DigestInfo (RFC 8017 §9.2) with its NULL, which is the only form there is of these digests. */
function digestInfo({ oid }: DigestRow, digest: Uint8Array): Buffer {
  const arcs = oid.split('.').map(Number)
  const [first = 0, second = 0, ...rest] = arcs
  const octets = [first * 40 + second, ...rest].flatMap(arc => {
    const out = [arc % 128]
    for (let left = Math.floor(arc / 128); left > 0; left = Math.floor(left / 128)) out.unshift(0x80 | (left % 128))
    return out
  })
  const algorithm = Buffer.concat([Buffer.of(0x06, octets.length, ...octets), Buffer.of(0x05, 0)])
  const inner = Buffer.concat([Buffer.of(0x30, algorithm.length), algorithm, Buffer.of(0x04, digest.length), digest])
  return Buffer.concat([Buffer.of(0x30, inner.length), inner])
}

/** RSASSA-PKCS1-v1_5 over a digest: what the signature holds must be exactly that digest's encoding. */
export function verifyRsaDigest(spki: Uint8Array, row: DigestRow, digest: Uint8Array, signature: Uint8Array): boolean {
  try {
    const key = createPublicKey({ key: Buffer.from(spki), format: 'der', type: 'spki' })
    // RFC 8017 §8.2.2, step 1
    if (signature.length * 8 < (key.asymmetricKeyDetails?.modulusLength ?? 0)) return false
    const held = publicDecrypt({ key, padding: constants.RSA_PKCS1_PADDING }, signature)
    return digest.length === row.bytes && held.equals(digestInfo(row, digest))
  } catch {
    return false
  }
}
