import { describe, expect, it } from 'vitest'
import { makeUscc } from '../../schemas/codes/uscc.ts'
import { adapterSuite, readAll, recordsIn, refusedIn } from '../adapter.suite.ts'
import { nationalAdapter } from './adapter.ts'

const code = makeUscc('530102', 'MA6K0001')
const project = {
  DATA_TYPE: '1',
  DATA_KEY: 'p-1',
  TABLE: 'TENDER_PROJECT',
  DATA: {
    TENDER_PROJECT_CODE: 'YN-2026-001',
    TENDER_PROJECT_NAME: '某道路工程',
    TENDER_PROJECT_TYPE: 'A03',
    REGION_CODE: '530100',
    TENDERER_NAME: '某建设局',
    CONTRACT_RECKON_PRICE: 123.4567,
    PRICE_UNIT: '1',
    PLATFORM_CODE: '530100-02',
    DATA_TIMESTAMP: '20261101083000',
  },
}
const section = {
  DATA_TYPE: 1,
  DATA_KEY: 's-1',
  TABLE: 'BID_SECTION',
  DATA: {
    TENDER_PROJECT_CODE: 'YN-2026-001',
    BID_SECTION_CODE: 'YN-2026-001-01',
    BID_SECTION_NAME: '第一标段',
    UNIFIED_DEAL_CODE: `A03-${code}-20261101-000001-T`,
    REGION_CODE: '530100',
    WIN_BIDDER_NAME: '甲公司',
    WIN_BIDDER_CODE: code,
    BID_AMOUNT: '9,876,543.21',
    EXPERT_SEATS: 5,
  },
}
const person = {
  DATA_TYPE: '1',
  DATA_KEY: 'l-1',
  TABLE: 'LEGAL_PERSON',
  DATA: { LEGAL_NAME: '甲公司', LEGAL_CODE: code, LEGAL_ROLE: '2,3', LEGAL_REPRESENT: '张某某', REG_CAPITAL: 1000, REG_UNIT: '1' },
}
const expertRow = {
  DATA_TYPE: '1',
  DATA_KEY: 'local-李某某',
  TABLE: 'EXPERT',
  DATA: {
    EXPERT_PSEUDONYM: 'abcdefghijklmnopqrstuv',
    EXPERT_NAME: '李某某',
    ID_CARD: '110101199003070054',
    COMPANY: '某设计院',
    MAJOR_CODE: 'A08;A080102',
    IS_MAIN: 'A080102',
    AREA: '530000',
    DMISSON: '1',
  },
}
const black = {
  DATA_TYPE: '2',
  DATA_KEY: 'b-1',
  TABLE: 'BLACKLIST',
  DATA: {
    BLACKLIST_CODE: 'BL-1',
    BODY_NAME: '甲公司',
    BODY_CODE: code,
    BODY_TYPE: '1',
    RECORD_DATE: '20260102',
    GOVERNMENT: '某局',
    REGION_CODE: '530000',
    CONFINED_ACTION: '限制投标;限制贷款',
    REVOCATION_STATUS: '0',
  },
}
const natural = { ...black, DATA: { ...black.DATA, BODY_NAME: '王某某', BODY_TYPE: '6' } }
const withoutPseudonym = { ...expertRow, DATA: { ...expertRow.DATA, EXPERT_PSEUDONYM: '' } }
const all = [project, section, person, expertRow, black, natural, withoutPseudonym]
const json = (value: unknown) => Buffer.from(JSON.stringify(value))
const lines = (...values: readonly unknown[]) =>
  Buffer.from(values.map(value => (typeof value === 'string' ? value : JSON.stringify(value))).join('\n'))

adapterSuite({
  adapter: nationalAdapter,
  mapping: null,
  bytes: Buffer.from(JSON.stringify(all, null, 2)),
  rows: 7,
  records: 5,
  personal: ['张某某', '李某某', '王某某', '110101199003070054', '某设计院'],
  damaged: {
    bytes: lines(project, JSON.stringify(expertRow).slice(0, -30), section, '{"LEGAL_REPRESENT":"张某某"', black),
    records: 3,
  },
})

const read = (...values: readonly unknown[]) => readAll(nationalAdapter, json(values))
const only = async (value: unknown) => recordsIn(await read(value))[0]

describe('the national adapter', () => {
  it('makes a project of level project and its section a deal that names the project as its parent', async () => {
    const [first, second] = recordsIn(await read(project, section))
    expect(first).toMatchObject({
      parent: null,
      candidate: { key: 'YN-2026-001', at: '2026-11-01T08:30:00+08:00', platform: '530100-02' },
    })
    expect(first?.candidate).toMatchObject({
      body: { level: 'project', class: 'A03', kind: 'tender', budget: '1234567', currency: 'CNY' },
    })
    expect(second).toMatchObject({ parent: 'YN-2026-001', candidate: { key: 'YN-2026-001-01', platform: '530000-01' } })
    expect(second?.candidate).toMatchObject({
      body: {
        level: 'deal',
        parent: 'YN-2026-001',
        class: 'A03',
        amount: '9876543.21',
        expert_seats: 5,
        winners: [{ name: '甲公司', code }],
      },
    })
  })

  it('reads a legal person, a credit record and an expert capability', async () => {
    expect((await only(person))?.candidate).toMatchObject({
      key: code,
      body: { name: '甲公司', roles: ['bidder', 'agency'], region: '530102', capital: { amount: '10000000', currency: 'CNY' } },
    })
    expect((await only(black))?.candidate).toMatchObject({
      key: 'BL-1',
      body: { kind: 'blacklist', severity: 'serious', decided_on: '2026-01-02', actions: ['限制投标', '限制贷款'], revoked: false },
    })
    expect((await only(expertRow))?.candidate).toMatchObject({
      key: 'abcdefghijklmnopqrstuv',
      body: {
        classes: [
          { code: 'A08', level: 2 },
          { code: 'A080102', level: 4 },
        ],
        main_class: 'A080102',
        available: true,
      },
    })
  })

  it('turns a deletion into a retract of the same key, withdrawn unless its reason says otherwise', async () => {
    const gone = { DATA_TYPE: '3', DATA_KEY: 'BL-1', TABLE: 'BLACKLIST' }
    expect((await only(gone))?.candidate).toMatchObject({ key: 'BL-1', op: 'retract', why: 'withdrawn' })
    expect((await only({ ...gone, REASON: '信用修复' }))?.candidate).toMatchObject({ op: 'retract', why: 'repaired' })
    const legal = { DATA_TYPE: '3', TABLE: 'LEGAL_PERSON', DATA_KEY: code.toLowerCase() }
    expect((await only(legal))?.candidate).toMatchObject({ key: code, op: 'retract' })
  })

  it('takes no local key for an expert, because it may be an identity', async () => {
    const [row] = refusedIn(await read({ DATA_TYPE: '3', TABLE: 'EXPERT', DATA_KEY: '李某某' }))
    expect(row?.fault).toMatchObject({ code: 'ROW_FIELD_MISSING', field: 'EXPERT_PSEUDONYM' })
    expect(row?.raw).not.toContain('李某某')
  })

  it('keeps nothing of a record about a natural person', async () => {
    expect(refusedIn(await read(natural))[0]).toMatchObject({ fault: { rule: 'natural-person' }, raw: '' })
  })

  it('tells the kind by its own field where TABLE is absent', async () => {
    const { TABLE: _, ...rest } = section
    expect((await only(rest))?.dataset).toBe('trade')
  })

  it('refuses an unknown table, an unknown operation and an unreadable amount, each with its field', async () => {
    const rows = refusedIn(
      await read(
        { ...project, TABLE: 'X' },
        { ...project, DATA_TYPE: '4' },
        { ...section, DATA: { ...section.DATA, BID_AMOUNT: '面议' } },
        7,
      ),
    )
    expect(rows.map(({ fault }) => fault.field)).toEqual(['TABLE', 'DATA_TYPE', 'BID_AMOUNT', null])
  })

  it('reads envelopes one per line and says the line of a damaged one', async () => {
    const rows = await readAll(nationalAdapter, lines(project, '{"DATA_TYPE":"1","DATA":{', section))
    expect(rows.map(row => [row.kind, row.location.line])).toEqual([
      ['record', 1],
      ['refused', 2],
      ['record', 3],
    ])
  })
})
