import { describe, expect, test } from 'vitest'
import type { LogHead } from '../../schemas/log.ts'
import type { Member, Membership } from '../../schemas/membership.ts'
import type { FederationFile } from './federation-file.ts'
import { formatStatus, type HolderAnswer, mergeStatus } from './status.ts'

const node = (code: string) => ({
  zh: code,
  en: code,
  url: `http://127.0.0.1:2${code.slice(0, 4)}`,
  operator_token_file: '-',
  log_file: '-',
})
const FILE: FederationFile = {
  fed: 'demo-1',
  membership_file: '-',
  launcher_pid: 1,
  hub: { url: 'http://127.0.0.1:20000' },
  nodes: { '530000': node('530000'), '520000': node('520000'), '110000': node('110000') },
  started_at: '-',
}
const member = (code: string, kind: Member['kind']): [string, Member] => [
  code,
  {
    code,
    kind,
    zh: code,
    en: code,
    writes: [],
    alliances: [],
    keys: [],
    enc: [],
    since: 0,
    standing: 'admitted',
    standingSince: 0,
    closings: null,
    territory: [],
  },
]
const MEMBERSHIP: Membership = {
  fed: 'demo-1',
  position: 0,
  hubKeys: [],
  members: new Map([member('530000', 'province'), member('520000', 'province'), member('110000', 'national')]),
  alliances: new Map(),
}
const head = (seq: number, digest = `sha-256:d${seq}`): LogHead => ({ epoch: 1, seq, digest })
const holding = (at: LogHead | null, audience = 'all', state = 'current'): HolderAnswer => ({
  logs: [{ origin: '530000', dataset: 'entity', audience, head: at, origin_state: state }],
  quarantine: [],
})
const NOTHING: HolderAnswer = { logs: [], quarantine: [] }
const merge = (answers: { readonly [holder: string]: HolderAnswer }) =>
  mergeStatus({ file: FILE, membership: MEMBERSHIP, answers: new Map(Object.entries(answers)), at: new Date(0) })
const everywhere = (answer: HolderAnswer) => ({ hub: answer, '530000': answer, '520000': answer, '110000': answer })

describe('the status of a federation', () => {
  test('has converged when every holder answers and holds the same entry', () => {
    const status = merge(everywhere(holding(head(3))))
    expect(status).toMatchObject({
      converged: true,
      logs: [{ same: true, lag: { hub: 0, '530000': 0, '520000': 0, '110000': 0 } }],
    })
    expect(formatStatus(status)).toContain('各持有方一致')
  })

  test('says from where on a log is held that began with a snapshot', () => {
    const [log] = 'logs' in holding(head(3)) ? (holding(head(3)) as Extract<HolderAnswer, { logs: unknown }>).logs : []
    if (log === undefined) throw new Error('expected a log')
    const partly: HolderAnswer = { logs: [{ ...log, missing_until: { epoch: 1, seq: 2 } }], quarantine: [] }
    const status = merge({ ...everywhere(holding(head(3))), '520000': partly })
    expect(status.logs[0]?.missing_until).toEqual({ '520000': { epoch: 1, seq: 2 } })
    expect(formatStatus(status)).toContain('its history up to 1.2 is not held there')
    expect(formatStatus(merge(everywhere(holding(head(3)))))).not.toContain('快照')
  })

  test('counts how far a holder is behind the furthest', () => {
    const status = merge({ ...everywhere(holding(head(3))), '520000': holding(head(1)) })
    expect(status).toMatchObject({ converged: false, logs: [{ same: false, lag: { '530000': 0, '520000': 2 } }] })
    expect(formatStatus(status)).toContain('1.1 −2')
  })

  test('shows a frozen log, proofs against the hub and doubts, each at the holder that has them', () => {
    const seen = { kind: 'receipt-missing', about: '530000/entity/all', count: 3, last: '2026-11-01T00:00:00Z', reason: null }
    const frozen: HolderAnswer = {
      logs: [{ origin: '530000', dataset: 'entity', audience: 'all', head: head(3), frozen: true }],
      quarantine: [],
      doubts: [seen],
      convictions: 1,
    }
    const status = merge({ ...everywhere(holding(head(3))), '520000': frozen })
    expect(status).toMatchObject({
      logs: [{ frozen: ['520000'] }],
      convictions: { '520000': 1, hub: 0 },
      doubts: { '520000': [seen] },
    })
    const text = formatStatus(status)
    expect(text).toContain('✘ 530000/entity/all 已冻结 is frozen (520000)')
    expect(text).toContain('hutong proof export hub --at 520000')
    expect(text).toContain('? 520000  530000/entity/all ×3')
  })

  test('tells two histories of the same length apart', () => {
    const status = merge({ ...everywhere(holding(head(3))), '520000': holding(head(3, 'sha-256:other123')) })
    expect(status).toMatchObject({ converged: false, logs: [{ same: false }] })
    expect(formatStatus(status)).toContain('≠ other123')
  })

  test('shows a holder that does not answer as unreachable, never as empty', () => {
    const status = merge({ ...everywhere(holding(head(3))), '520000': { error: 'PROGRAM_UNREACHABLE: no' } })
    expect(status.converged).toBe(false)
    expect(status.holders.find(({ name }) => name === '520000')).toMatchObject({
      reachable: false,
      error: 'PROGRAM_UNREACHABLE: no',
    })
    expect(status.logs[0]).toMatchObject({ same: true, heads: { '520000': null }, lag: { '520000': null } })
    expect(status.quarantine).not.toHaveProperty('520000')
    expect(formatStatus(status)).toContain('✘ 520000 没有应答')
  })

  test('counts a holder that answers without the log as behind by all of it', () => {
    const status = merge({ ...everywhere(holding(head(3))), '520000': NOTHING })
    expect(status).toMatchObject({ converged: false, logs: [{ same: false, heads: { '520000': null }, lag: { '520000': 3 } }] })
  })

  test('expects a log of the national audience at hub, origin and national reader only', () => {
    const status = merge({ ...everywhere(holding(head(2), 'national')), '520000': NOTHING })
    expect(status.converged).toBe(true)
    expect(Object.keys(status.logs[0]?.heads ?? {}).sort()).toEqual(['110000', '530000', 'hub'])
  })

  test('says of an origin what the others see, not what it says of itself', () => {
    const late = holding(head(2), 'all', 'late')
    const status = merge({ ...everywhere(late), '530000': holding(head(2), 'all', 'own') })
    expect(status.logs[0]?.origin_state).toBe('late')
  })

  test('does not compare positions of two epochs', () => {
    const status = merge({ ...everywhere(holding({ epoch: 2, seq: 1, digest: 'sha-256:x' })), '520000': holding(head(9)) })
    expect(status.logs[0]).toMatchObject({ same: false, lag: { hub: 0, '520000': null } })
  })
})
