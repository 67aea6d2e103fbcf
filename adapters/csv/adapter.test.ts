import { existsSync, readFileSync } from 'node:fs'
import { describe, expect, it } from 'vitest'
import { makeUscc } from '../../schemas/codes/uscc.ts'
import { adapterSuite, NOW, readAll, recordsIn, refusedIn } from '../adapter.suite.ts'
import { parseMapping } from '../mapping.ts'
import { csvAdapter } from './adapter.ts'

const SHIPPED = readFileSync(new URL('entities.mapping.yaml', import.meta.url), 'utf8')
const SLICE = new URL('../../../shared/data/records/entities-2019-slice.csv', import.meta.url)
const HEADING = '企业名称,统一社会信用代码,注册日期,企业类型,注册资金,经营范围,所在省份,地区'
const mapping = parseMapping(SHIPPED)
const code = makeUscc('530102', 'MA6K0001')
const row = (name: string, capital: string, of = code) => `${name},${of},2019-01-02,有限责任公司,${capital},经营,云南,昆明`
const file = (...lines: string[]) => Buffer.from([HEADING, ...lines].join('\r\n'))

adapterSuite({
  adapter: csvAdapter,
  mapping,
  bytes: Buffer.from(
    [
      `${HEADING},法定代表人,备注`,
      `${row('甲公司', '"1,000(万元人民币)"')},张某某,`,
      `${row('乙公司', 'N/A')},李某某,"两行\n备注"`,
      `${row('丙公司', '万人民币')},王某某,`,
      `${row('丁公司', '5万美元', '110101199003070054')},赵某某,`,
      `戊公司,,2019-01-02,,,,,,孙某某,`,
    ].join('\n'),
  ),
  rows: 5,
  records: 2,
  personal: ['张某某', '李某某', '王某某', '赵某某', '孙某某', '110101199003070054'],
  damaged: {
    bytes: file(row('甲公司', '"1,000(万元人民币)'), row('乙公司', '2万'), `a${row('丙公司', '3万')},x`, row('丁公司', '4万')),
    records: 2,
  },
})

describe('the csv adapter', () => {
  it('reads money, dates, verdict and region of the shipped mapping', async () => {
    const [read] = recordsIn(await readAll(csvAdapter, file(row('甲公司', '"1,000(万元人民币)"')), { mapping }))
    expect(read?.candidate).toEqual({
      key: code,
      op: 'put',
      at: '2019-01-02T00:00:00+08:00',
      platform: '530000-01',
      body: {
        name: '甲公司',
        code,
        code_verdict: { kind: 'uscc', outer: 'right', inner: 'right' },
        region: '530102',
        region_name: '云南',
        district_name: '昆明',
        type: '有限责任公司',
        capital: { amount: '10000000', currency: 'CNY' },
        registered_on: '2019-01-02',
        scope: '经营',
      },
    })
  })

  it('keeps a company whose code fails its check, with the verdict', async () => {
    const wrong = `${code.slice(0, 17)}${code.endsWith('1') ? '2' : '1'}`
    const [read] = recordsIn(await readAll(csvAdapter, file(row('甲公司', '-', wrong)), { mapping }))
    expect(read?.candidate.op === 'put' && read.candidate.body.code_verdict).toEqual({
      kind: 'uscc',
      outer: 'wrong',
      inner: 'right',
    })
  })

  it('takes the province where a code of another kind names no region', async () => {
    const [read] = recordsIn(await readAll(csvAdapter, file(row('甲公司', '-', '滇A12'.replace('滇', 'D'))), { mapping }))
    expect(read?.candidate.op === 'put' && read.candidate.body.region).toBe('530000')
  })

  it('counts lines of the file although a cell before holds line ends', async () => {
    const bytes = file(row('"甲\n公\n司"', '1万'), row('乙公司', '坏'))
    expect(refusedIn(await readAll(csvAdapter, bytes, { mapping })).map(read => read.location.line)).toEqual([5])
  })

  it('reads GB18030 where the mapping says so, and refuses a line that is none', async () => {
    const gb = parseMapping(SHIPPED.replace('utf-8', 'gb18030'))
    const heading = Buffer.from('c6f3d2b5c3fbb3c6', 'hex')
    const narrow = parseMapping(
      'adapter: csv\ndataset: entity\nencoding: gb18030\nkey: code\nfields:\n  name: { from: 企业名称, as: text, required: true }\n  code: { from: code, as: code, required: true }\n  code_verdict: { from: code, as: uscc-verdict }\n',
    )
    const bytes = Buffer.concat([heading, Buffer.from(`,code\n`), heading, Buffer.from(`,${code}\n\xff,${code}\n`, 'latin1')])
    const read = await readAll(csvAdapter, bytes, { mapping: narrow, size: 1 })
    expect(gb.encoding).toBe('gb18030')
    expect(read.map(one => (one.kind === 'record' ? one.candidate.key : [one.fault.code, one.location.line]))).toEqual([
      code,
      ['FILE_ENCODING_INVALID', 3],
    ])
  })

  it('ignores a byte order mark and refuses a heading in another encoding', async () => {
    expect(await readAll(csvAdapter, Buffer.concat([Buffer.from('\uFEFF'), file(row('甲公司', '1万'))]), { mapping })).toHaveLength(
      1,
    )
    const wrong = readAll(csvAdapter, Buffer.from('c6f3d2b5c3fbb3c62c61', 'hex'), { mapping })
    await expect(wrong).rejects.toMatchObject({ code: 'FILE_ENCODING_INVALID' })
  })

  it('refuses a file that lacks a mapped column, naming what is missing and what is there', async () => {
    await expect(readAll(csvAdapter, Buffer.from('企业名称,b\n1,2'), { mapping })).rejects.toMatchObject({
      code: 'FILE_MALFORMED',
      detail: { missing: expect.arrayContaining(['注册日期']), columns: ['企业名称', 'b'] },
    })
    await expect(readAll(csvAdapter, Buffer.from(''), { mapping })).rejects.toMatchObject({ code: 'FILE_MALFORMED' })
  })

  it('refuses a row longer than 64 KiB and keeps its beginning', async () => {
    const bytes = file(row('长'.repeat(40_000), '1万'), row('乙公司', '1万'))
    const read = await readAll(csvAdapter, bytes, { mapping })
    expect(read.map(one => one.kind)).toEqual(['refused', 'record'])
    expect(Buffer.byteLength(read[0]?.raw ?? '')).toBeLessThanOrEqual(65_536)
  })

  it('gives rows of one company in the order of the file, so that the later corrects the earlier', async () => {
    const read = recordsIn(await readAll(csvAdapter, file(row('旧名', '1万'), row('新名', '1万')), { mapping }))
    expect(read.map(one => one.candidate.op === 'put' && one.candidate.body.name)).toEqual(['旧名', '新名'])
    expect(new Set(read.map(one => one.candidate.key)).size).toBe(1)
  })

  it('takes the time of reading where a row has no date', async () => {
    const [read] = recordsIn(await readAll(csvAdapter, file(row('甲公司', '1万').replace('2019-01-02', 'N/A')), { mapping }))
    expect(read?.candidate.at).toBe(NOW.toISOString())
  })

  const present = existsSync(SLICE)
  if (!present) process.stdout.write('skipped: the extract of 6000 registrations is not here\n')
  it.skipIf(!present)('maps a real extract of 6000 registrations and refuses only capitals that cannot be read', async () => {
    const read = await readAll(csvAdapter, readFileSync(SLICE), { mapping })
    expect(read).toHaveLength(6000)
    expect(refusedIn(read).map(({ location, fault }) => [location.line, fault.field, fault.rule])).toEqual([
      [4304, '注册资金', 'money-grouping'],
      [4672, '注册资金', 'money-number'],
    ])
    expect(new Set(recordsIn(read).map(({ candidate }) => candidate.key)).size).toBe(5998)
  })
})
