/** What the apps say in Simplified Chinese: the console of a merchant's staff. */
import type { en } from './en.ts';

export const zh = {
  'merchant.payments': '收款',
  'payments.when': '时间',
  'payments.status': '状态',
  'payments.payer': '付款人',
  'payments.reference': '你的订单号',
  'payments.amount': '金额',
  'payment.one': '收款详情',
  'payments.none': '没有收款记录',
  'payments.none.lead': '店铺的收款会列在这里。如果使用了筛选，请清除筛选条件。',
} satisfies Record<keyof typeof en, string>;
