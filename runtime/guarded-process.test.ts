import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdtempDisposable, readFile, realpath } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import { lockDirectory } from './directory-lock.ts'
import { startGuarded, stopStrays, until } from './guarded-process.ts'
import { keptPort } from './loopback-port.ts'

const temporary = async () => mkdtempDisposable(join(await realpath(tmpdir()), 'hutong-guard-'))

const isGone = (pid: number) => () => {
  try {
    return process.kill(pid, 0) && false
  } catch {
    return true
  }
}

test('disposing stops the process, even one that is deaf to requests at first', async () => {
  await using folder = await temporary()
  const logFile = join(folder.path, 'log')
  const guarded = await startGuarded({ command: '/bin/sleep', args: ['60'], cwd: folder.path, logFile })
  expect(guarded.pid).toBeGreaterThan(1)
  const program = "process.on('SIGINT', () => process.exit(7)); setInterval(() => {}, 1000); console.log('up')"
  const deaf = await startGuarded({ command: process.execPath, args: ['-e', program], cwd: folder.path, logFile })
  await until(async () => (await readFile(logFile, 'utf8')).includes('up'), { timeoutMs: 5_000 })
  await deaf[Symbol.asyncDispose]()
  expect(await deaf.exited).toBe(7)
  expect(isGone(deaf.pid)()).toBe(true)
  process.kill(guarded.pid, 'SIGKILL')
  expect(await guarded.exited).toBeNull()
})

test('what a start left behind is stopped, the same program elsewhere is not', async () => {
  await using here = await temporary()
  await using elsewhere = await temporary()
  const ours = spawn('/bin/sleep', ['60'], { cwd: here.path })
  const foreign = spawn('/bin/sleep', ['60'], { cwd: elsewhere.path })
  await Promise.all([once(ours, 'spawn'), once(foreign, 'spawn')])
  const ended = once(ours, 'exit')
  await stopStrays('sleep', here.path)
  expect((await ended)[1]).toBe('SIGINT')
  expect(foreign.exitCode ?? foreign.signalCode).toBeNull()
  foreign.kill('SIGKILL')
})

test('a directory has one holder at a time, in one process as between processes', async () => {
  await using folder = await temporary()
  const data = join(folder.path, 'data')
  {
    using _held = await lockDirectory(data)
    await expect(lockDirectory(data)).rejects.toMatchObject({ code: 'DIRECTORY_IN_USE' })
  }
  using again = await lockDirectory(data)
  expect(again.path).toBe(data)
})

test('a port is kept while it is free', async () => {
  await using folder = await temporary()
  const file = join(folder.path, 'port')
  const port = await keptPort(file)
  expect(await keptPort(file)).toBe(port)
})
