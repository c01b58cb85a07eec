#include "examples/step/language.h"

namespace gradus::step {

namespace {

// clang-format off
constexpr terminal::Phrases::value_type commands[] = {
    {"Moving", "移动"},
    {"Stopping", "停下"},
    {"Looking", "查看"},
    {"Judging and changing", "检验与修改"},
    {"Files and the rest", "文件及其他"},
    {"\nCommands can be shortened: n for next, b for back, p for print. 'help print' tells more\n"
     "of one. Begin with next, and press return to go on.\n",
     "\n命令可以缩写：n 即 next，b 即 back，p 即 print。“help print” 详细说明一个命令。\n"
     "从 next 开始，按回车键继续。\n"},
    {"\n  for instance: {}\n", "\n  例如：{}\n"},
    {"the next step; forward, then backward", "下一步；先前向，再反向"},
    {"Each step of the forward pass shows one op; parameters and constants are shown where ops\n"
     "read them. The backward pass then goes through the nodes from the last to the first, and\n"
     "ends at the parameters.\n"
     "An empty line repeats the last move.",
     "前向传播的每一步显示一个运算；参数和常量在读取它们的运算处显示。\n"
     "随后的反向传播从最后一个节点走到第一个，止于参数。\n"
     "输入空行则重复上一次移动。"},
    {"the step before", "上一步"},
    {"Also from the backward pass into the forward pass.", "也可以从反向传播退回前向传播。"},
    {"on to a breakpoint, or the end of the pass", "前进到断点，或这一遍传播的末尾"},
    {"on to the next place of this kind", "前进到下一个符合条件的地方"},
    {"WHERE is the same as for breakpoint. Looks ahead from here, first in this pass.",
     "WHERE 的写法与 breakpoint 相同。从当前位置向前找，先在这一遍传播中找。"},
    {"to a node, in this pass or in the backward pass", "前往某个节点，在这一遍或反向传播中"},
    {"'go start' goes back to where everything began.", "“go start” 回到最初的起点。"},
    {"stop 'continue' there, or list breakpoints", "让 continue 在那里停下，或列出断点"},
    {"WHERE is one test, or several joined by 'and':\n"
     "  12                         this node\n"
     "  op NAME                    this op\n"
     "  layer NAME                 in this layer: decoder, decoder.attention, attention\n"
     "  parameter NAME             this parameter, and what reads it\n"
     "  time N                     this time step\n"
     "  forward, backward          only in this pass\n"
     "  nan                        NaN or an infinity begins here, in a value, or, backward, in\n"
     "                             what the op makes of a gradient\n"
     "  gradient > 10, value < 1   the norm is above or below the bound; so are gradient.max,\n"
     "                             .min, .mean, .zeros and the same of value; NaN is neither\n"
     "  wrong                      'check' found that the gradient rule is wrong",
     "WHERE 是一个条件，或用 “and” 连接的几个条件：\n"
     "  12                         这个节点\n"
     "  op NAME                    这种运算\n"
     "  layer NAME                 在这一层中：decoder、decoder.attention、attention\n"
     "  parameter NAME             这个参数，以及读取它的节点\n"
     "  time N                     这个时间步\n"
     "  forward, backward          只在这一遍传播中\n"
     "  nan                        NaN 或无穷大从这里开始：在值中；反向时，在运算\n"
     "                             由梯度算出的结果中\n"
     "  gradient > 10, value < 1   范数高于或低于界限；也可以写 gradient.max、\n"
     "                             .min、.mean、.zeros，value 同理；NaN 既不高也不低\n"
     "  wrong                      “check” 发现梯度规则有误"},
    {"take a breakpoint away", "删除断点"},
    {"all details: users, what is kept, source lines", "全部细节：使用者、保留的值、源代码行"},
    {"Also for which nodes' derivatives the backward pass keeps this value.",
     "还包括反向传播为求哪些节点的导数而保留这个值。"},
    {"the numbers of a tensor or of a part of it", "张量或其一部分的数值"},
    {"WHAT is what the formula calls it, at this node or after a node's number and a dot:\n"
     "  y  the value            a, b, c … (x if there is only one)   the inputs\n"
     "  g  dL/dy                da, db, dc … (dx)                    what goes back to the inputs\n"
     "  weight   weight.g       a parameter, its gradient\n"
     "  tanh 5   decoder        an op, the last op of a layer\n"
     "and may be sliced: y[0], g[:, 2:5], 12.da[-1, ::2].",
     "WHAT 是公式中的字母，指当前节点；前面加节点编号和点，则指那个节点：\n"
     "  y  值                   a、b、c …（只有一个时是 x）          各个输入\n"
     "  g  dL/dy                da、db、dc …（dx）                   传回各个输入的梯度\n"
     "  weight   weight.g       参数，它的梯度\n"
     "  tanh 5   decoder        运算，一层的最后一个运算\n"
     "还可以取切片：y[0]、g[:, 2:5]、12.da[-1, ::2]。"},
    {"formula, derivatives, what letters mean", "公式、导数，以及字母的含义"},
    {"open an op: the simpler ops that define it", "展开一个运算：定义它的基本运算"},
    {"softmax, an LSTM's recurrence, layer norm, cross entropy, attention in tiles, a Dense layer's\n"
     "product: from the same inputs and the same gradient, with formulas, numbers and rules. All\n"
     "commands work in there, also into; the letters are the inputs. 'out' closes it again.",
     "可以展开 softmax、LSTM 的循环、层归一化、交叉熵、分块注意力、全连接层的乘积：\n"
     "用同样的输入和同样的梯度，给出公式、数值和梯度规则。所有命令在里面都可以使用，\n"
     "包括 into；字母即各个输入。“out” 将它收起。"},
    {"close what into opened, and compare the two", "收起 into 展开的运算，并比较两者"},
    {"a line per node: op, shape, norms, layer", "每个节点一行：运算、形状、范数、层"},
    {"layers and parameters; of one also its ops", "层与参数；指定一层时还有它的运算"},
    {"what a node is made of and what uses it", "一个节点由什么得来，又用于何处"},
    {"what each query attended to, as a map", "每个查询关注哪里，画成热力图"},
    {"A row per query (a time step of a decoder), a column per key.",
     "每个查询（解码器的一个时间步）一行，每个键一列。"},
    {"is the gradient rule right? by differences", "梯度规则对吗？用有限差分检验"},
    {"Compares the rule with differences of the op's own computation, in float64, on the recorded\n"
     "inputs. ✓ it agrees, ✗ it does not, ∞ the values are not finite, ? it cannot run again.\n"
     "A trace file has the verdicts that it was saved with. Ctrl-C stops 'check all'.",
     "对记录下的输入，以 float64 重新运行该运算，把梯度规则与有限差分相比较。\n"
     "✓ 一致，✗ 不一致，∞ 数值不是有限数，? 无法重新运行。\n"
     "记录文件中是保存时的检验结论。Ctrl-C 停止 “check all”。"},
    {"what ails the gradients? on one screen", "梯度有什么毛病？一屏看完"},
    {"The norm of the gradient at each layer's output, by time step; where NaN or an infinity\n"
     "begins; where only zeros go on (a dead ReLU, a mask); parameters without a gradient; and\n"
     "'check all', which Ctrl-C cuts short.",
     "各层输出处梯度的范数，按时间步排列；NaN 或无穷大从哪里开始；哪里只有零继续回传\n"
     "（死亡的 ReLU、掩码）；没有梯度的参数；以及 “check all”，可用 Ctrl-C 提前停止。"},
    {"which nodes one element of a gradient came from", "梯度的一个元素来自哪些节点"},
    {"The element is the sum of what each node that used it sent back, largest first. WHAT is as\n"
     "in print: a parameter, an attention weight, any value.",
     "这个元素是使用它的各个节点传回之值的和，从大到小列出。WHAT 的写法与 print 相同：\n"
     "参数、注意力权重或任何值。"},
    {"what if a value, or a part of it, were different?", "假如某个值或其一部分不同，会怎样？"},
    {"Runs all later ops and the backward pass again with it, and shows what has changed. Only\n"
     "in the program that recorded: a trace file holds numbers, but not the ops' computations.\n"
     "WHAT is as in print, with a slice: set 4.y[0, :] = 0. 'undo' goes back; 'compare all' lists\n"
     "all that has changed.",
     "用新的值重新运行其后的所有运算和反向传播，并显示有何变化。只能在做记录的程序中\n"
     "使用：记录文件中有数值，没有各运算的计算。WHAT 的写法与 print 相同，可带切片：\n"
     "set 4.y[0, :] = 0。“undo” 撤销；“compare all” 列出所有变化。"},
    {"take the last 'set' back", "撤销上一次 set"},
    {"what differs from another trace, in order", "与另一份记录有何差异，按顺序列出"},
    {"Without FILE: from what was before the last 'set'. The first difference is where the two\n"
     "computations diverge; the others follow in the order of the passes, the first 16, or with\n"
     "'all' at the end all of them.\n"
     "Within T: only numbers that differ by more than T times the largest of their tensor.",
     "不指定 FILE 时，与上一次 “set” 之前比较。第一处差异就是两次计算分开的地方；\n"
     "其余按前向、反向的顺序列出前 16 处，末尾加上 “all” 则全部列出。\n"
     "within T：只列出相差超过张量中最大数值 T 倍的数。"},
    {"keep the trace in a file", "把记录保存到文件"},
    {"the trace as a page for the browser", "把记录写成网页，在浏览器中查看"},
    {"One file, which opens offline. After 'set' it also shows what has changed.",
     "只有一个文件，离线即可打开。“set” 之后还会显示有何变化。"},
    {"a lesson or a trace file, or list lessons", "打开一课或记录文件，或列出各课"},
    {"all commands, or one of them", "所有命令，或其中一个"},
    {"leave", "退出"},
};
// clang-format on

}  // namespace

PhraseList chinese_help() { return commands; }

}  // namespace gradus::step
