import { type ChildProcessWithoutNullStreams, spawn } from 'node:child_process'
import { once } from 'node:events'
import { text } from 'node:stream/consumers'
import { expect, test } from 'vitest'
import { ExchangeError } from '../schemas/errors.ts'
import { formatFault, untilAborted } from './lifetime.ts'

const LIFETIME = new URL('./lifetime.ts', import.meta.url).href
const ERRORS = new URL('../schemas/errors.ts', import.meta.url).href

const start = (main: string): ChildProcessWithoutNullStreams => {
  const imports = `import { runProgram, untilAborted, untilSignal } from '${LIFETIME}'
    import { ExchangeError } from '${ERRORS}'
    const say = line => process.stdout.write(line + '\\n')
    const alive = setInterval(() => {}, 1000)
    `
  return spawn(process.execPath, ['--input-type=module', '-e', imports + main])
}

const ended = async (child: ChildProcessWithoutNullStreams): Promise<{ code: number | null; out: string; err: string }> => {
  const [out, err, [code]] = await Promise.all([
    text(child.stdout),
    text(child.stderr),
    once(child, 'close') as Promise<[number | null]>,
  ])
  return { code, out, err }
}

/** Runs the program, and `then` once it has said `ready`. */
const run = async (main: string, then: (child: ChildProcessWithoutNullStreams) => void = () => undefined) => {
  const child = start(main)
  child.stdout.once('data', () => then(child))
  return ended(child)
}

const GRACEFUL = `await runProgram(async signal => {
  await using stack = new AsyncDisposableStack()
  stack.defer(async () => { clearInterval(alive); say('disposed') })
  say('ready')
  await untilAborted(signal)
}, { stopOnStdinEnd: true })`

test.concurrent.each(['SIGINT', 'SIGTERM'] as const)('%s lets the program dispose and end with 0', async signal => {
  expect(await run(GRACEFUL, child => child.kill(signal))).toEqual({ code: 0, out: 'ready\ndisposed\n', err: '' })
})

test.concurrent('the end of standard input stops a program that asked for it', async () => {
  expect(await run(GRACEFUL, child => child.stdin.end())).toEqual({ code: 0, out: 'ready\ndisposed\n', err: '' })
})

test.concurrent('a second signal ends a program that hangs, with 130', async () => {
  const main = `process.on('SIGINT', () => say('again'))
    await runProgram(async signal => { say('ready'); await untilAborted(signal); await new Promise(() => {}) })`
  const { code } = await run(main, child => {
    child.kill('SIGINT')
    child.stdout.once('data', () => child.kill('SIGINT'))
  })
  expect(code).toBe(130)
})

test.concurrent('untilSignal tells which signal came', async () => {
  const main = `const came = untilSignal(); say('ready'); say(await came); clearInterval(alive)`
  expect((await run(main, child => child.kill('SIGTERM'))).out).toBe('ready\nSIGTERM\n')
})

test.concurrent('a coded error is printed in both languages and ends the program with 1', async () => {
  const main = `await runProgram(async () => { clearInterval(alive); throw new ExchangeError('CONFIG_INVALID', 'x', { detail: { faults: ['a', 'b'] } }) })`
  expect(await run(main)).toEqual({
    code: 1,
    out: '',
    err: 'CONFIG_INVALID: The configuration is not valid. 配置无效。\n  a\n  b\n',
  })
})

test.concurrent.each([
  ['rejection', `void Promise.reject(new Error('secret'))`],
  ['exception', `setImmediate(() => { throw new Error('secret') })`],
])('an uncaught %s is reported, disposes and ends the program with 1', async (_, fault) => {
  const main = `await runProgram(async signal => {
    await using stack = new AsyncDisposableStack()
    stack.defer(async () => { clearInterval(alive); say('disposed') })
    ${fault}
    await untilAborted(signal)
  }, { report: error => say('reported ' + error.message.length) })`
  const { code, out, err } = await run(main)
  expect({ code, out }).toEqual({ code: 1, out: 'reported 6\ndisposed\n' })
  expect(err).toMatch(/^INTERNAL: /)
  expect(err).not.toContain('secret"')
})

test('a foreign error is printed without its message', () => {
  const shown = formatFault(new ExchangeError('DATABASE_UNAVAILABLE', 'no answer', { cause: new Error('password=swordfish') }))
  expect(shown).toContain('DATABASE_UNAVAILABLE: The database cannot be reached. 无法连接数据库。\n  no answer\n')
  expect(shown).toContain('"type": "Error"')
  expect(shown).not.toContain('swordfish')
})

test('untilAborted is fulfilled at once by a signal that has aborted', async () => {
  await expect(untilAborted(AbortSignal.abort())).resolves.toBeUndefined()
})
