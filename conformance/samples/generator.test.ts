import { describe, expect, test } from 'vitest'
import type { MappedRow } from '../../adapters/adapter.ts'
import { nationalAdapter } from '../../adapters/national/adapter.ts'
import { PERSONAL_FIELDS } from '../../adapters/personal.ts'
import { parseDealCode } from '../../schemas/codes/deal-code.ts'
import { regionAt } from '../../schemas/codes/regions.ts'
import { tradeClassAt } from '../../schemas/codes/trade-classes.ts'
import { judgeUscc } from '../../schemas/codes/uscc.ts'
import { ADDED, CHANGED, DELETED, documentOf } from './documents.ts'
import type { Scene } from './generator.ts'
import { planFounding, planTick, type Step } from './plan.ts'
import { PROFILES, type Profile } from './profiles.ts'
import { type Counts, SOURCE_NAMES, SOURCES, type SourceName, type SourceRow } from './tables.ts'

const NOW = new Date('2025-11-24T02:00:00Z')
const TICKS = 400

const sceneOf = (profile: Profile, seed = 'test'): Scene => ({ profile, seed, secret: Buffer.alloc(32, 7) })

/** A year and some minutes of a system, as the steps that it takes. */
const lifeOf = (scene: Scene): readonly Step[] => {
  const founding = planFounding(scene, NOW)
  const counts = Object.fromEntries(SOURCE_NAMES.map(name => [name, 0])) as { -readonly [name in SourceName]: number }
  const count = (steps: readonly Step[]): void => {
    for (const step of steps) if (step.kind === 'add') counts[step.source] += 1
  }
  count(founding)
  const steps = [...founding]
  for (let tick = 0; tick < TICKS; tick++) {
    const next = planTick(scene, tick, counts as Counts, new Date(NOW.getTime() + tick * 1000))
    count(next)
    steps.push(...next)
  }
  return steps
}

const additionsOf = (steps: readonly Step[]) => steps.filter(step => step.kind === 'add')

const rowsOf = (steps: readonly Step[], source: SourceName): readonly SourceRow[] =>
  additionsOf(steps).flatMap(step => (step.source === source ? [step.row] : []))

const read = async (lines: readonly string[]): Promise<MappedRow[]> => {
  async function* bytes(): AsyncIterable<Uint8Array> {
    yield Buffer.from(`${lines.join('\n')}\n`)
  }
  const options = { file: 'test', mapping: null, platform: '530000-01', now: NOW }
  return Array.fromAsync(nationalAdapter.read(bytes(), options))
}

describe.each(PROFILES)('the sample system of $code', profile => {
  const steps = lifeOf(sceneOf(profile))

  test('makes the same rows from the same seed, and others from another', () => {
    expect(lifeOf(sceneOf(profile))).toEqual(steps)
    expect(planFounding(sceneOf(profile, 'other'), NOW)).not.toEqual(planFounding(sceneOf(profile), NOW))
  })

  test('starts with as many rows as its profile says', () => {
    const founding = planFounding(sceneOf(profile), NOW)
    const { sizes } = profile
    expect(SOURCE_NAMES.map(name => rowsOf(founding, name).length)).toEqual([
      sizes.companies,
      sizes.projects,
      2 * sizes.projects,
      sizes.experts,
      sizes.violations,
      sizes.blacklist,
    ])
  })

  test('gives every key once', () => {
    for (const source of SOURCE_NAMES) {
      const keys = rowsOf(steps, source).map(row => row[SOURCES[source].key])
      expect(new Set(keys).size).toBe(keys.length)
    }
  })

  test('registers companies under codes whose both checks are right and whose region is one of its own places', () => {
    const places = profile.places.map(([region]) => region)
    for (const row of rowsOf(steps, 'legal_person')) {
      const { outer, inner, region } = judgeUscc(row.legal_code ?? '')
      expect([outer, inner]).toEqual(['right', 'right'])
      expect(places).toContain(region)
      expect(regionAt(row.region_code ?? '', '2025-11-24')).not.toBeNull()
    }
  })

  test('trades between companies that it has registered', () => {
    const codes = new Set(rowsOf(steps, 'legal_person').map(row => row.legal_code))
    const parties = [...rowsOf(steps, 'deal'), ...rowsOf(steps, 'violating'), ...rowsOf(steps, 'blacklist')].flatMap(row =>
      [row.tenderer_code, row.tender_agency_code, row.win_bidder_code, row.body_code].filter(code => code != null),
    )
    expect(parties.filter(code => !codes.has(code))).toEqual([])
  })

  test('gives deals a unified code of the right shape and a class that was in force', () => {
    for (const row of rowsOf(steps, 'deal')) {
      const code = parseDealCode(row.unified_deal_code ?? '')
      expect(code.warnings).toEqual(['check-unverified'])
      expect(code.class).toBe((row.tender_project_type ?? '').padEnd(3, '0'))
      expect(tradeClassAt(row.tender_project_type ?? '', code.date)?.found).toBe('exact')
    }
  })

  test('decides deals over the last twelve months and today, never later', () => {
    const days = rowsOf(steps, 'deal').flatMap(row => (row.win_bid_time == null ? [] : [row.win_bid_time]))
    expect(days.every(day => day > '2024-11-24' && day <= '2025-11-24')).toBe(true)
    expect(days).toContain('2025-11-24')
    expect(new Set(days.map(day => day.slice(0, 7))).size).toBeGreaterThanOrEqual(12)
  })

  test('now and then pushes a deal before its project, corrects one and withdraws one', () => {
    const additions = additionsOf(steps)
    const early = additions.filter(
      (step, index) =>
        step.source === 'deal' &&
        additions.findIndex(({ row }) => row.tender_project_code === step.row.tender_project_code) === index,
    )
    expect(early.length).toBeGreaterThan(0)
    expect(early.every(step => step.endsBatch)).toBe(true)
    expect(steps.filter(step => step.kind === 'correct').length).toBeGreaterThan(0)
    expect(steps.filter(step => step.kind === 'withdraw').length).toBeGreaterThan(0)
  })

  test('speaks the national specification without one refusal, for additions, changes and deletions', async () => {
    const rows = additionsOf(steps)
    const lines = [
      ...rows.map(({ source, row }) => documentOf(source, row, ADDED)),
      ...rowsOf(steps, 'deal').flatMap(row => [documentOf('deal', row, CHANGED), documentOf('deal', row, DELETED)]),
    ]
    const mapped = await read(lines)
    expect(mapped.filter(row => row.kind === 'refused')).toEqual([])
    expect(mapped.length).toBe(lines.length)
    const datasets = new Set(mapped.map(row => row.dataset))
    expect([...datasets].sort()).toEqual(['credit', 'entity', 'expert', 'trade'])
  })

  test('names an addition, its change and its deletion by one key', async () => {
    for (const source of SOURCE_NAMES) {
      const [row] = rowsOf(steps, source)
      if (row === undefined) throw new Error(`no row of ${source}`)
      const types = source === 'expert' ? [ADDED, CHANGED] : [ADDED, CHANGED, DELETED]
      const mapped = await read(types.map(type => documentOf(source, row, type)))
      const keys = mapped.map(one => (one.kind === 'record' ? one.candidate.key : one.fault.code))
      expect(new Set(keys).size).toBe(1)
      expect(keys[0]).toBe(source === 'expert' ? row.expert_pseudonym : (row.bid_section_code ?? row[SOURCES[source].key]))
    }
  })

  test('lets no field leave that is never replicated, nor a column that stays at home', () => {
    const home = ['SERIAL', 'EXPERT_NO', 'CHANGED_AT', 'WITHDRAWN_AT']
    for (const { source, row } of additionsOf(steps)) {
      // a local system has such columns, so the row is given one of each
      const local = Object.fromEntries([...PERSONAL_FIELDS].map(field => [field.toLowerCase(), 'personal']))
      const text = documentOf(source, { ...row, ...local }, ADDED)
      const { DATA } = JSON.parse(text) as { DATA: { [field: string]: string } }
      expect(Object.keys(DATA).filter(field => PERSONAL_FIELDS.has(field) || home.includes(field))).toEqual([])
      if (row.expert_no != null) expect(text).not.toContain(row.expert_no)
    }
  })
})

test('every system names its companies as samples, and no two systems share a code', () => {
  const rows = PROFILES.flatMap(profile => rowsOf(planFounding(sceneOf(profile), NOW), 'legal_person'))
  expect(rows.every(row => row.legal_name?.includes('样例'))).toBe(true)
  expect(new Set(rows.map(row => row.legal_code)).size).toBe(rows.length)
})
