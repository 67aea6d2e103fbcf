/**
 * The words that sample rows are made of. Company names say 样例 (sample) and a pair of the sexagenary cycle, so that none of them
 * can be the name of a real company that a sample credit record would then accuse. There are no persons and no names of persons.
 */

export type Trade = readonly [word: string, industry: string]
export type Work = {
  /** class of the trade; the unified deal code writes a class without subdivisions with `00` */
  readonly code: string
  readonly mode: string
  readonly subjects: readonly [string, ...string[]]
  /** yuan */
  readonly amount: readonly [min: number, max: number]
  /** experts of a committee; 0 where there is none */
  readonly seats: readonly [number, ...number[]]
}

const STEMS = '甲乙丙丁戊己庚辛壬癸'
const BRANCHES = '子丑寅卯辰巳午未申酉戌亥'

/** 甲子, 乙丑, … 癸亥 */
export const cycleName = (index: number): string => `${STEMS.charAt(index % 10)}${BRANCHES.charAt(index % 12)}`

/** With GB/T 4754-2017 codes. */
export const TRADES: readonly [Trade, ...Trade[]] = [
  ['建筑工程', 'E4700'],
  ['路桥工程', 'E4812'],
  ['市政工程', 'E4813'],
  ['水利水电工程', 'E4821'],
  ['电力建设', 'E4871'],
  ['园林绿化', 'E4891'],
  ['医药', 'F5150'],
  ['信息技术', 'I6510'],
  ['办公设备', 'F5178'],
  ['环保科技', 'N7722'],
  ['矿业', 'B0919'],
  ['物业管理', 'K7020'],
]

export const AGENCY_TRADE: Trade = ['招标代理', 'L7299']
export const TENDERER_TRADE: Trade = ['建设投资', 'L7212']

export const COMPANY_TYPES: readonly [string, ...string[]] = ['有限责任公司', '股份有限公司', '有限公司']

export const WORKS: readonly [Work, ...Work[]] = [
  { code: 'A01', mode: '公开招标', subjects: ['中学教学楼', '县医院门诊楼', '保障性住房'], amount: [5e6, 3e8], seats: [5, 7, 9] },
  { code: 'A02', mode: '公开招标', subjects: ['城区道路改造', '污水管网', '老旧小区改造'], amount: [2e6, 1e8], seats: [5, 7] },
  { code: 'A03', mode: '公开招标', subjects: ['农村公路改建', '公路养护', '公路隧道'], amount: [3e6, 5e8], seats: [5, 7, 9] },
  { code: 'A07', mode: '公开招标', subjects: ['中小河流治理', '水库除险加固', '灌区续建'], amount: [3e6, 2e8], seats: [5, 7] },
  { code: 'A08', mode: '邀请招标', subjects: ['光伏电站', '配电网改造'], amount: [5e6, 2e8], seats: [5, 7] },
  { code: 'A13', mode: '公开招标', subjects: ['政务网络', '数据中心机房'], amount: [1e6, 5e7], seats: [5] },
  { code: 'A99', mode: '公开招标', subjects: ['高标准农田', '地质灾害治理'], amount: [1e6, 5e7], seats: [5] },
  { code: 'D', mode: '竞争性磋商', subjects: ['信息系统运维', '物业服务', '规划编制'], amount: [2e5, 8e6], seats: [3, 5] },
  { code: 'D', mode: '询价', subjects: ['办公设备采购', '教学仪器采购'], amount: [1e5, 3e6], seats: [3] },
  { code: 'D', mode: '公开招标', subjects: ['医疗设备采购', '公务车辆租赁'], amount: [5e5, 3e7], seats: [5, 7] },
  { code: 'B', mode: '挂牌', subjects: ['工业用地使用权出让', '商业用地使用权出让'], amount: [5e6, 9e8], seats: [0] },
  { code: 'B', mode: '拍卖', subjects: ['住宅用地使用权出让'], amount: [2e7, 2e9], seats: [0] },
  { code: 'C', mode: '挂牌', subjects: ['建筑石料矿采矿权出让', '砂石采矿权出让'], amount: [1e6, 2e8], seats: [0] },
  { code: 'E', mode: '挂牌', subjects: ['国有房产转让', '国有股权转让', '设备处置'], amount: [2e5, 1e8], seats: [0] },
  { code: 'G', mode: '公开招标', subjects: ['基本药物采购', '医用耗材采购'], amount: [5e5, 5e7], seats: [5, 7] },
]

/** In the style of the national classification of evaluation experts (发改法规〔2018〕316号): three, five or seven characters, level 2 to 4. */
export const EXPERT_CLASSES: readonly [string, ...string[]] = [
  'A0101',
  'A010101',
  'A0102',
  'A0203',
  'A030101',
  'A0401',
  'A0802',
  'B0101',
  'B0203',
  'B050101',
  'B0901',
  'C0101',
  'C0302',
  'C0601',
]

export const VIOLATIONS: readonly [string, ...string[]] = [
  '弄虚作假',
  '围标串标',
  '无故放弃中标',
  '拖延签订合同',
  '违规转包',
  '提供虚假业绩',
]
