import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { describe, expect, test } from 'vitest'
import {
  type FederationFile,
  formatFederationFile,
  holderNamed,
  holdersOf,
  nodeNamed,
  parseFederationFile,
  readFederationFile,
  samplesOf,
} from './federation-file.ts'

const node = { zh: '云南', en: 'Yunnan', url: 'http://127.0.0.1:20002', operator_token_file: '/h/token', log_file: '/h/log' }
const FILE: FederationFile = {
  fed: 'demo-1',
  membership_file: '/h/membership.json',
  launcher_pid: 7,
  hub: { url: 'http://127.0.0.1:20001' },
  nodes: { '530000': node },
  postgres: { url_file: '/h/postgres.url' },
  started_at: '2026-01-01T00:00:00.000Z',
}
const faultOf = (change: object): unknown => {
  try {
    return parseFederationFile(JSON.stringify({ ...FILE, ...change }), 'federation.json')
  } catch (error) {
    return error
  }
}

describe('the federation file', () => {
  test('is read back as it was written', () => {
    expect(parseFederationFile(formatFederationFile(FILE), 'f')).toEqual(FILE)
  })

  test('loses a slash at the end of an address, so that paths can be appended', () => {
    expect(parseFederationFile(JSON.stringify({ ...FILE, hub: { url: 'http://127.0.0.1:1/' } }), 'f').hub.url).toBe(
      'http://127.0.0.1:1',
    )
  })

  test.each([
    ['no hub', { hub: undefined }, 'hub'],
    ['a hub without an address', { hub: {} }, 'hub.url'],
    ['an address of another scheme', { hub: { url: 'file:///etc/passwd' } }, 'hub.url'],
    ['nodes as a list', { nodes: [] }, 'nodes'],
    ['a node under a name that is no code', { nodes: { yunnan: node } }, 'nodes.yunnan'],
    ['a node without a token file', { nodes: { '530000': { ...node, operator_token_file: undefined } } }, 'operator_token_file'],
    ['no federation', { fed: 7 }, 'fed'],
  ])('is refused with %s, naming the member', (_, change, name) => {
    expect(faultOf(change)).toMatchObject({ code: 'CONFIG_INVALID', reason: expect.stringContaining(name) })
  })

  test('is refused when it is no JSON', () => {
    expect(() => parseFederationFile('{', 'f')).toThrow(expect.objectContaining({ code: 'CONFIG_INVALID' }))
  })

  test('is missed with the command that makes one', async () => {
    const home = await mkdtemp(join(tmpdir(), 'hutong-terminal-'))
    await expect(readFederationFile(home)).rejects.toMatchObject({
      code: 'PROGRAM_UNKNOWN',
      reason: expect.stringContaining('npm start'),
    })
    await writeFile(join(home, 'federation.json'), formatFederationFile(FILE))
    expect(await readFederationFile(home)).toEqual(FILE)
    await rm(home, { recursive: true })
  })
})

describe('a name', () => {
  test('finds the hub and the nodes of the file', () => {
    expect(holdersOf(FILE).map(({ name }) => name)).toEqual(['hub', '530000'])
    expect(holderNamed(FILE, 'hub').url).toBe(FILE.hub.url)
    expect(nodeNamed(FILE, '530000').url).toBe(node.url)
  })

  test.each(['520000', 'localhost', 'hub', '__proto__', 'toString'])(
    'that is no node of the file is refused, listing those that are: %s',
    name => {
      expect(() => nodeNamed(FILE, name)).toThrow(
        expect.objectContaining({ code: 'PROGRAM_UNKNOWN', reason: expect.stringContaining('530000 云南 Yunnan') }),
      )
    },
  )

  test('that is neither hub nor node is refused, listing both', () => {
    expect(() => holderNamed(FILE, 'other')).toThrow(
      expect.objectContaining({ code: 'PROGRAM_UNKNOWN', reason: expect.stringContaining('hub, 530000') }),
    )
  })

  test('of sample systems that were not started is refused', () => {
    expect(() => samplesOf(FILE)).toThrow(expect.objectContaining({ code: 'PROGRAM_UNKNOWN' }))
  })
})
