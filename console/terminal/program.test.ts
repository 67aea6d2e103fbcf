import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { formatFederationFile } from './federation-file.ts'
import { runCommandLine } from './program.ts'

let home = ''
beforeAll(async () => {
  home = await mkdtemp(join(tmpdir(), 'hutong-command-'))
})
afterAll(() => rm(home, { recursive: true }))

const run = async (...args: string[]): Promise<{ code: number; out: string; err: string }> => {
  const said = { out: '', err: '' }
  const into = (name: 'out' | 'err') => ({
    write(text: string) {
      said[name] += text
    },
  })
  const code = await runCommandLine(args, { HUTONG_HOME: home }, { out: into('out'), err: into('err') })
  return { code, ...said }
}

describe('the hutong command', () => {
  test.each([
    [],
    ['nothing'],
    ['samples', 'stop'],
    ['show', 'entity'],
    ['show', 'entity', 'k'],
    ['ingest', 'f', '--node', '530000', '--adapter', 'sql'],
    ['status', '--jsno'],
  ])('answers a wrong use with exit code 2: %s %s', async (...args) => {
    expect(await run(...args.filter(arg => typeof arg === 'string'))).toMatchObject({ code: 2, out: '' })
  })

  test.each([
    ['nothing', /没有这个命令 unknown command 'nothing'/],
    ['status --jsno', /没有这个选项 unknown option '--jsno'/],
    ['verify', /缺少参数 missing required argument 'file'/],
    ['verify a b', /参数过多 too many arguments/],
    ['ledger verify', /缺少必需的选项 required option '--at <program>' not specified/],
    ['ledger verify --at', /选项缺少值 option '--at <program>' argument missing/],
    ['samples stop', /参数的值无效 command-argument value 'stop' is invalid/],
    ['quarantine list --at hub --limit 0', /选项的值无效 .*应为 1 至 999999 的整数 expected a whole number/],
    ['hub found --approvals 3', /选项的值无效 option '--approvals <number>' argument '3' is invalid/],
    ['bundle export --at hub --all --epoch 1 --log x --out y', /选项不能同时使用 .* cannot be used with/],
  ])('says in Chinese and English what is wrong with: %s', async (line, said) => {
    expect(await run(...line.split(' '))).toMatchObject({ code: 2, out: '', err: expect.stringMatching(said) })
  })

  test('answers a question for help with exit code 0', async () => {
    expect(await run('--help')).toMatchObject({ code: 0, out: expect.stringContaining('verify') })
  })

  test('says how to start a federation where there is none', async () => {
    const { code, err } = await run('status')
    expect(code).toBe(1)
    expect(err).toMatch(/PROGRAM_UNKNOWN[\s\S]*请先运行 npm start[\s\S]*run npm start first/)
  })

  test('asks nobody about a node that it does not know', async () => {
    const place = { zh: '云南', en: 'Yunnan', url: 'http://127.0.0.1:1', operator_token_file: '-', log_file: '-' }
    const file = {
      fed: 'demo-1',
      membership_file: '-',
      launcher_pid: 1,
      hub: { url: 'http://127.0.0.1:1' },
      nodes: { '530000': place },
      started_at: '-',
    }
    await writeFile(join(home, 'federation.json'), formatFederationFile(file))
    const { code, err } = await run('show', 'entity', 'k', '--at', '999999')
    expect({ code, named: err.includes('PROGRAM_UNKNOWN'), listed: err.includes('530000 云南 Yunnan') }).toEqual({
      code: 1,
      named: true,
      listed: true,
    })
  })
})
