/**
 * Classes of trades, the first part of a unified deal code. A01 to A99 and D are those of the unified deal code's rules
 * (公共资源交易平台系统数据规范); the letters B, C, E, G and Z stand for the other kinds of public resources that 国办发〔2015〕63号 (2015-08-10)
 * put on one platform, and for what has no class. Since that day there are unified platforms, hence classes; Z has no beginning,
 * so that older deals keep a class.
 */
import { holdsAt, type Period } from './periods.ts'

export const TRADE_GROUPS = ['engineering', 'procurement', 'land', 'mining', 'property', 'drugs', 'others'] as const
type TradeGroup = (typeof TRADE_GROUPS)[number]
export type TradeClass = Period & { readonly code: string; readonly en: string; readonly zh: string; readonly group: TradeGroup }

const row = (code: string, zh: string, en: string, group: TradeGroup, valid_from: string | null = '2015-08-10'): TradeClass => ({
  code,
  zh,
  en,
  group,
  valid_from,
  valid_to: null,
})

export const TRADE_CLASSES: readonly TradeClass[] = [
  row('A01', '房屋建筑', 'Buildings', 'engineering'),
  row('A02', '市政', 'Municipal works', 'engineering'),
  row('A03', '公路', 'Roads', 'engineering'),
  row('A04', '铁路', 'Railways', 'engineering'),
  row('A05', '民航', 'Civil aviation', 'engineering'),
  row('A06', '水运', 'Waterways and ports', 'engineering'),
  row('A07', '水利', 'Water conservancy', 'engineering'),
  row('A08', '能源', 'Energy', 'engineering'),
  row('A09', '邮电通信', 'Post and telecommunications', 'engineering'),
  row('A10', '桥梁', 'Bridges', 'engineering'),
  row('A11', '城市轨道', 'Urban rail', 'engineering'),
  row('A12', '矿产冶金', 'Mining and metallurgy works', 'engineering'),
  row('A13', '信息网络', 'Information networks', 'engineering'),
  row('A14', '工业制造', 'Industrial works', 'engineering'),
  row('A99', '其他工程', 'Other works', 'engineering'),
  row('B', '土地使用权', 'Land use rights', 'land'),
  row('C', '矿业权', 'Mining rights', 'mining'),
  row('D', '政府采购', 'Government procurement', 'procurement'),
  row('E', '国有产权', 'State-owned property rights', 'property'),
  row('G', '药品采购', 'Drugs', 'drugs'),
  row('Z', '其他', 'Others', 'others', null),
]

/** `letter`: the code has digits that the table does not list and was found by its letter. */
export type TradeClassAt = { readonly row: TradeClass; readonly found: 'exact' | 'letter' }

/** The class that a code meant on a day (`YYYY-MM-DD`); null if none did. */
export function tradeClassAt(code: string, date: string): TradeClassAt | null {
  const inForce = TRADE_CLASSES.filter(one => holdsAt(one, date))
  const exact = inForce.find(one => one.code === code)
  if (exact !== undefined) return { row: exact, found: 'exact' }
  const letter = /^[A-Z][0-9]{2}$/.test(code) ? inForce.find(one => one.code === code.charAt(0)) : undefined
  return letter === undefined ? null : { row: letter, found: 'letter' }
}
