/**
 * Region codes: GB/T 2260 and the year-end tables of administrative divisions that the Ministry of Civil Affairs (民政部) publishes,
 * 1980 to 2019. 新疆生产建设兵团 is named by 发改办法规〔2019〕876号 but absent from GB/T 2260; 660000 is the code it goes by. All
 * provinces, the cities of 江苏, 贵州 and 云南, and cities elsewhere whose code was retired. The tables are yearly, so the year of a
 * change belongs to both codes. A retired code stays readable as of its time and names its successors (several after a split).
 */
import { holdsAt, type Period } from './periods.ts'

export type Region = Period & { readonly code: string; readonly zh: string; readonly successors: readonly string[] }

const row = (
  code: string,
  zh: string,
  from: number | null = null,
  to: number | null = null,
  successors: readonly string[] = [],
): Region => ({
  code,
  zh,
  valid_from: from === null ? null : `${from}-01-01`,
  valid_to: to === null ? null : `${to}-12-31`,
  successors,
})

const PROVINCES: readonly Region[] = [
  row('110000', '北京市'),
  row('120000', '天津市'),
  row('130000', '河北省'),
  row('140000', '山西省'),
  row('150000', '内蒙古自治区'),
  row('210000', '辽宁省'),
  row('220000', '吉林省'),
  row('230000', '黑龙江省'),
  row('310000', '上海市'),
  row('320000', '江苏省'),
  row('330000', '浙江省'),
  row('340000', '安徽省'),
  row('350000', '福建省'),
  row('360000', '江西省'),
  row('370000', '山东省'),
  row('410000', '河南省'),
  row('420000', '湖北省'),
  row('430000', '湖南省'),
  row('440000', '广东省'),
  row('450000', '广西壮族自治区'),
  row('460000', '海南省', 1988),
  row('500000', '重庆市', 1997),
  row('510000', '四川省'),
  row('520000', '贵州省'),
  row('530000', '云南省'),
  row('540000', '西藏自治区'),
  row('610000', '陕西省'),
  row('620000', '甘肃省'),
  row('630000', '青海省'),
  row('640000', '宁夏回族自治区'),
  row('650000', '新疆维吾尔自治区'),
  row('660000', '新疆生产建设兵团'),
  row('710000', '台湾省'),
  row('810000', '香港特别行政区'),
  row('820000', '澳门特别行政区'),
]

const CITIES: readonly Region[] = [
  row('320100', '南京市'),
  row('320200', '无锡市'),
  row('320300', '徐州市'),
  row('320400', '常州市'),
  row('320500', '苏州市'),
  row('320600', '南通市'),
  row('320700', '连云港市'),
  row('320800', '淮阴市', 1983, 2000, ['320800']),
  row('320800', '淮安市', 2000),
  row('320900', '盐城市', 1983),
  row('321000', '扬州市', 1983),
  row('321100', '镇江市', 1983),
  row('321200', '泰州市', 1996),
  row('321300', '宿迁市', 1996),
  row('520100', '贵阳市'),
  row('520200', '六盘水市'),
  row('520300', '遵义市', 1997),
  row('520400', '安顺市', 2000),
  row('520500', '毕节市', 2011),
  row('520600', '铜仁市', 2011),
  row('522100', '遵义地区', null, 1997, ['520300']),
  row('522200', '铜仁地区', null, 2011, ['520600']),
  row('522300', '黔西南布依族苗族自治州', 1981),
  row('522400', '毕节地区', null, 2011, ['520500']),
  row('522500', '安顺地区', null, 2000, ['520400']),
  row('522600', '黔东南苗族侗族自治州'),
  row('522700', '黔南布依族苗族自治州'),
  row('530100', '昆明市'),
  row('530200', '东川市', null, 1998, ['530100']),
  row('530300', '曲靖市', 1997),
  row('530400', '玉溪市', 1997),
  row('530500', '保山市', 2000),
  row('530600', '昭通市', 2001),
  row('530700', '丽江市', 2002),
  row('530800', '思茅市', 2003, 2007, ['530800']),
  row('530800', '普洱市', 2007),
  row('530900', '临沧市', 2003),
  row('532100', '昭通地区', null, 2001, ['530600']),
  row('532200', '曲靖地区', null, 1997, ['530300']),
  row('532300', '楚雄彝族自治州'),
  row('532400', '玉溪地区', null, 1997, ['530400']),
  row('532500', '红河哈尼族彝族自治州'),
  row('532600', '文山壮族苗族自治州'),
  row('532700', '思茅地区', null, 2003, ['530800']),
  row('532800', '西双版纳傣族自治州'),
  row('532900', '大理白族自治州'),
  row('533000', '保山地区', null, 2000, ['530500']),
  row('533100', '德宏傣族景颇族自治州'),
  row('533200', '丽江地区', null, 2002, ['530700']),
  row('533300', '怒江傈僳族自治州'),
  row('533400', '迪庆藏族自治州'),
  row('533500', '临沧地区', null, 2003, ['530900']),
]

const RETIRED_ELSEWHERE: readonly Region[] = [
  row('341400', '巢湖市', 1999, 2011, ['340100', '340200', '340500']),
  row('510200', '重庆市', null, 1997, ['500000']),
  row('511200', '万县市', 1992, 1997, ['500000']),
  row('513500', '黔江地区', 1988, 1997, ['500000']),
  row('542100', '昌都地区', null, 2014, ['540300']),
  row('542200', '山南地区', null, 2016, ['540500']),
  row('542300', '日喀则地区', null, 2014, ['540200']),
  row('542400', '那曲地区', null, 2017, ['540600']),
  row('542600', '林芝地区', 1983, 2015, ['540400']),
  row('632100', '海东地区', null, 2013, ['630200']),
  row('652100', '吐鲁番地区', null, 2015, ['650400']),
  row('652200', '哈密地区', null, 2016, ['650500']),
]

export const REGIONS: readonly Region[] = [...PROVINCES, ...CITIES, ...RETIRED_ELSEWHERE]

const BY_CODE: ReadonlyMap<string, readonly Region[]> = Map.groupBy(REGIONS, region => region.code)

/** What is not `exact` says so: the code was not in force on that day, or only its city or its province is in the table. */
export type RegionAt = { readonly region: Region; readonly found: 'exact' | 'not-in-force' | 'city' | 'province' }

/** The region that a code (six digits) meant on a day (`YYYY-MM-DD`); null if not even its province is known. */
export function regionAt(code: string, date: string): RegionAt | null {
  if (!/^[0-9]{6}$/.test(code)) return null
  const own = BY_CODE.get(code)
  const exact = own?.find(region => holdsAt(region, date))
  if (exact !== undefined) return { region: exact, found: 'exact' }
  const last = own?.at(-1)
  if (last !== undefined) return { region: last, found: 'not-in-force' }
  for (const [found, parent] of [
    ['city', `${code.slice(0, 4)}00`],
    ['province', `${code.slice(0, 2)}0000`],
  ] as const) {
    const rows = BY_CODE.get(parent)
    const region = rows?.find(one => holdsAt(one, date)) ?? rows?.at(-1)
    if (region !== undefined) return { region, found }
  }
  return null
}
